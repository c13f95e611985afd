//! Two texts beside each other, line by line.

use serde::Serialize;

/// A line of both texts (`same`), of the first only (`dropped`), of the second only (`created`),
/// or a place where lines of both are left out (`cut`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    pub state: &'static str,
    pub text: String,
}

/// Lines around a difference that are shown.
const CONTEXT: usize = 3;
/// Longer texts are shown one after the other: comparing takes the product of their lengths.
const LONGEST: usize = 1500;

/// What turns one text into the other.
pub fn compare(before: &str, after: &str) -> Vec<Line> {
    let (a, b): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let line = |state, text: &str| Line {
        state,
        text: text.to_owned(),
    };
    if a.len().max(b.len()) > LONGEST {
        let old = a.iter().map(|t| line("dropped", t));
        return old.chain(b.iter().map(|t| line("created", t))).collect();
    }
    // common[i][j]: how many lines a[i..] and b[j..] have in common, in order.
    let mut common = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i][j] = match a[i] == b[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            lines.push(line("same", a[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < a.len() && (j == b.len() || common[i + 1][j] >= common[i][j + 1]) {
            lines.push(line("dropped", a[i]));
            i += 1;
        } else {
            lines.push(line("created", b[j]));
            j += 1;
        }
    }
    around_differences(lines)
}

fn around_differences(lines: Vec<Line>) -> Vec<Line> {
    let near = |at: usize| {
        let first = at.saturating_sub(CONTEXT);
        let last = (at + CONTEXT).min(lines.len() - 1);
        lines[first..=last].iter().any(|l| l.state != "same")
    };
    let mut result: Vec<Line> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if near(at) {
            result.push(line.clone());
        } else if result.last().is_none_or(|l| l.state != "cut") {
            result.push(Line {
                state: "cut",
                text: "⋯".into(),
            });
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_and_its_surroundings_are_shown() {
        let before: String = (0..20).map(|i| format!("line {i}\n")).collect();
        let after = before.replace("line 10\n", "another\n");
        let lines = compare(&before, &after);
        let shown: Vec<String> = lines
            .iter()
            .map(|l| format!("{} {}", l.state, l.text))
            .collect();
        assert_eq!(
            shown,
            [
                "cut ⋯",
                "same line 7",
                "same line 8",
                "same line 9",
                "dropped line 10",
                "created another",
                "same line 11",
                "same line 12",
                "same line 13",
                "cut ⋯"
            ]
        );
    }
}
