//! Shows where in an SQL file a statement failed: file, line, and a caret under the place that
//! Postgres named.

use std::path::Path;

use crate::error::{Error, ErrorKind};

/// Columns of a line that are shown; a dump can have lines of megabytes.
const WIDTH: usize = 100;

/// The failure of one file as `file:line: what Postgres said (SQLSTATE)`, with an excerpt of `sql`,
/// the text as it was sent. An error that is not Postgres's only gets the file's name. Kind:
/// `Migration`.
pub fn failed_file(path: &Path, sql: &str, error: Error) -> Error {
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    let Some(said) = error.postgres().cloned() else {
        return error
            .with_kind(ErrorKind::Migration)
            .context(format_args!("{name} failed"));
    };
    let place = said
        .position
        .and_then(|position| Place::find(sql, position));
    let mut detail = vec![match &place {
        Some(place) => format!("{}:{}:{}", path.display(), place.line, place.column),
        None => path.display().to_string(),
    }];
    if let Some(place) = &place {
        detail.extend(place.excerpt(sql));
    }
    detail.extend(said.detail.clone());
    detail.extend(said.context.as_ref().map(|context| format!("in {context}")));
    let at = place.map_or(name.to_string(), |place| format!("{name}:{}", place.line));
    let result = Error::migration(format!("{at}: {} ({})", said.message, said.code))
        .detail(detail.join("\n"))
        .with_postgres(said.clone());
    match said.hint {
        Some(hint) => result.hint(hint),
        None => result,
    }
}

/// A place in a text: line and column from 1, columns in characters.
struct Place {
    line: usize,
    column: usize,
}

impl Place {
    /// `position` counts characters from 1, as Postgres does.
    fn find(sql: &str, position: usize) -> Option<Self> {
        let before = position.checked_sub(1)?;
        let (mut line, mut column) = (1, 1);
        for (index, character) in sql.chars().enumerate() {
            if index == before {
                return Some(Place { line, column });
            }
            if character == '\n' {
                line += 1;
                column = 1;
            } else {
                column += 1;
            }
        }
        // "syntax error at end of input" points behind the last character.
        (sql.chars().count() == before).then_some(Place { line, column })
    }

    /// The line with the place, one before and one after, and a caret.
    fn excerpt(&self, sql: &str) -> Vec<String> {
        // Both kinds of line end, and no empty line for a final one.
        let lines: Vec<&str> = sql.split('\n').map(|l| l.trim_end_matches('\r')).collect();
        let last = (self.line + 1).min(lines.len());
        let gutter = last.to_string().len();
        let skip = self.column.saturating_sub(WIDTH * 3 / 4);
        let mut shown = Vec::new();
        for number in self.line.saturating_sub(1).max(1)..=last {
            let text: String = lines[number - 1].chars().skip(skip).take(WIDTH).collect();
            if number == last && number != self.line && text.is_empty() {
                break;
            }
            shown.push(format!("{number:>gutter$} | {text}").trim_end().to_string());
            if number == self.line {
                // Tabs stay tabs, so that the caret stands below its character.
                let lead: String = lines[number - 1]
                    .chars()
                    .skip(skip)
                    .take(self.column - 1 - skip)
                    .map(|c| if c == '\t' { '\t' } else { ' ' })
                    .collect();
                shown.push(format!("{:>gutter$} | {lead}^", ""));
            }
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(sql: &str, position: usize) -> String {
        let place = Place::find(sql, position).unwrap();
        format!(
            "{}:{}\n{}",
            place.line,
            place.column,
            place.excerpt(sql).join("\n")
        )
    }

    #[test]
    fn a_caret_stands_below_the_character_that_postgres_named() {
        insta::assert_snapshot!(show("create table ä (\n\tid intt\n);\n", 22), @r"
        2:5
        1 | create table ä (
        2 | 	id intt
          | 	   ^
        3 | );
        ");
    }

    #[test]
    fn windows_line_ends_and_the_end_of_input_are_places_too() {
        let sql = "select 1;\r\nselect (\r\n";
        insta::assert_snapshot!(show(sql, sql.len() + 1), @r"
        3:1
        2 | select (
        3 |
          | ^
        ");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let sql = format!("select {} oops", "1,".repeat(5000));
        let text = show(&sql, 10_009);
        assert!(
            text.lines().all(|line| line.chars().count() < WIDTH + 10),
            "{text}"
        );
        let lines: Vec<&str> = text.lines().collect();
        let caret = lines[2].chars().position(|c| c == '^').unwrap();
        assert_eq!(lines[1].chars().skip(caret).collect::<String>(), "oops");
    }
}
