//! What a check found, for the services that run it: GitHub's workflow commands and JUnit's XML.

use std::fmt::Write as _;

/// One rule with its findings.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    pub name: String,
    /// In words: "8 migrations from nothing".
    pub outcome: String,
    /// Seconds.
    pub took: f64,
    pub findings: Vec<Note>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub is_error: bool,
    /// Relative to the repository.
    pub file: Option<String>,
    /// Counted from 1.
    pub line: Option<u32>,
    pub message: String,
    /// Further lines: details and a hint.
    pub more: Vec<String>,
}

/// Workflow commands, one line each, that GitHub shows beside the lines of the files.
pub fn github(cases: &[Case]) -> String {
    let mut text = String::new();
    for case in cases {
        for note in &case.findings {
            let level = if note.is_error { "error" } else { "warning" };
            let mut about = Vec::new();
            if let Some(file) = &note.file {
                about.push(format!("file={}", property(file)));
            }
            if let Some(line) = note.line {
                about.push(format!("line={line}"));
            }
            about.push(format!(
                "title={}",
                property(&format!("devdb {}", case.name))
            ));
            let mut message = note.message.clone();
            for more in &note.more {
                let _ = write!(message, "\n{more}");
            }
            let _ = writeln!(text, "::{level} {}::{}", about.join(","), data(&message));
        }
    }
    text
}

/// As `@actions/core` escapes the text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// And its properties.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A test suite with one case for each rule; warnings stand in its output.
pub fn junit(cases: &[Case]) -> String {
    let errors = |case: &Case| case.findings.iter().filter(|n| n.is_error).count();
    let failures = cases.iter().filter(|case| errors(case) > 0).count();
    let took: f64 = cases.iter().map(|case| case.took).sum();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        text,
        "<testsuites name=\"devdb\" tests=\"{n}\" failures=\"{failures}\" time=\"{took:.3}\">\n  \
         <testsuite name=\"devdb check\" tests=\"{n}\" failures=\"{failures}\" time=\"{took:.3}\">",
        n = cases.len()
    );
    for case in cases {
        let _ = writeln!(
            text,
            "    <testcase classname=\"devdb.check\" name=\"{}\" time=\"{:.3}\">",
            xml(&case.name),
            case.took
        );
        let shown = |note: &Note| {
            let place = match (&note.file, note.line) {
                (Some(file), Some(line)) => format!("{file}:{line}: "),
                (Some(file), None) => format!("{file}: "),
                _ => String::new(),
            };
            let mut lines = vec![format!("{place}{}", note.message)];
            lines.extend(note.more.iter().cloned());
            lines.join("\n")
        };
        let wrong: Vec<&Note> = case.findings.iter().filter(|n| n.is_error).collect();
        if let Some(first) = wrong.first() {
            let all: Vec<String> = wrong.iter().map(|note| shown(note)).collect();
            let _ = writeln!(
                text,
                "      <failure message=\"{}\">{}</failure>",
                xml(&first.message),
                xml(&all.join("\n"))
            );
        }
        let mut said = vec![case.outcome.clone()];
        let warnings = case.findings.iter().filter(|n| !n.is_error);
        said.extend(warnings.map(|note| format!("warning: {}", shown(note))));
        let _ = writeln!(
            text,
            "      <system-out>{}</system-out>",
            xml(&said.join("\n"))
        );
        text.push_str("    </testcase>\n");
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

/// Text for XML 1.0, which has no word for most control characters.
fn xml(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => result.push_str("&amp;"),
            '<' => result.push_str("&lt;"),
            '>' => result.push_str("&gt;"),
            '"' => result.push_str("&quot;"),
            '\n' => result.push_str("&#10;"),
            '\t' => result.push(c),
            c if c < ' ' => result.push('\u{fffd}'),
            c => result.push(c),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Case {
        Case {
            name: "history".into(),
            outcome: "1 new since main".into(),
            took: 0.25,
            findings: vec![
                Note {
                    is_error: true,
                    file: Some("db/a,b.sql".into()),
                    line: Some(3),
                    message: "100% <wrong>: \"x\"".into(),
                    more: vec!["hint: mend it".into()],
                },
                Note {
                    is_error: false,
                    file: None,
                    line: None,
                    message: "look".into(),
                    more: Vec::new(),
                },
            ],
        }
    }

    #[test]
    fn github_shows_findings_beside_lines() {
        insta::assert_snapshot!(github(&[case()]), @r#"
        ::error file=db/a%2Cb.sql,line=3,title=devdb history::100%25 <wrong>: "x"%0Ahint: mend it
        ::warning title=devdb history::look
        "#);
    }

    #[test]
    fn junit_has_a_case_for_each_rule() {
        insta::assert_snapshot!(junit(&[case()]), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="devdb" tests="1" failures="1" time="0.250">
          <testsuite name="devdb check" tests="1" failures="1" time="0.250">
            <testcase classname="devdb.check" name="history" time="0.250">
              <failure message="100% &lt;wrong&gt;: &quot;x&quot;">db/a,b.sql:3: 100% &lt;wrong&gt;: &quot;x&quot;&#10;hint: mend it</failure>
              <system-out>1 new since main&#10;warning: look</system-out>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }
}
