//! Shows where in a file a statement failed.

use std::path::Path;

use sqlx::migrate::Migration;

use super::files::name_of;
use crate::error::{Error, ErrorKind, PostgresError};

/// Columns of a line that are shown; a dump can have lines of megabytes.
const WIDTH: usize = 100;

/// The failure of one file: its name, line and an excerpt with a caret where Postgres gave a
/// place, the server's own detail, and what to do.
pub fn failed_file(path: &Path, migration: &Migration, error: Error) -> Error {
    let Some(said) = error.postgres().cloned() else {
        return error
            .with_kind(ErrorKind::Migration)
            .context(format_args!("{} failed", name_of(path)));
    };
    let place = said
        .position
        .and_then(|position| Place::find(migration.sql.as_str(), position));
    let name = name_of(path);
    let place_text = match &place {
        Some(place) => format!("{}:{}:{}", path.display(), place.line, place.column),
        None => path.display().to_string(),
    };
    let mut detail = vec![place_text];
    if let Some(place) = &place {
        detail.extend(place.excerpt(migration.sql.as_str()));
    }
    if let Some(text) = &said.detail {
        detail.push(text.clone());
    }
    if let Some(context) = &said.context {
        detail.push(format!("in {context}"));
    }
    let at = place.map_or(name.clone(), |place| format!("{name}:{}", place.line));
    let mut result = Error::migration(format!("{at}: {} ({})", said.message, said.code))
        .detail(detail.join("\n"))
        .with_postgres(said.clone());
    if let Some(hint) = hint(&said, migration) {
        result = result.hint(hint);
    }
    result
}

fn hint(said: &PostgresError, migration: &Migration) -> Option<String> {
    let own = match said.code.as_str() {
        // active_sql_transaction
        "25001" if !migration.no_tx => {
            "begin the file with `-- no-transaction` and leave this statement alone in it"
        }
        "25001" => {
            "Postgres runs several statements of one file in one transaction: leave this one alone in its file"
        }
        // unsafe_new_enum_value_usage
        "55P04" => "add the enum value in a migration of its own, before the one that uses it",
        "58P01" | "0A000" if said.message.contains("extension") => {
            "the server lacks this extension: use an image that has it (`image` under [server])"
        }
        "42501" => "the configured user may not do this: see `user` under [database]",
        _ => match &said.hint {
            Some(hint) => return Some(hint.clone()),
            None if migration.no_tx => {
                "the file runs without a transaction: look at what it left behind before running it again"
            }
            None => {
                "nothing of this file was kept; those before it stay applied. Mend it and run again"
            }
        },
    };
    Some(own.to_string())
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
