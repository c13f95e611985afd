//! The terminal: stdout carries data, stderr the rest. The only place that prints.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use owo_colors::{OwoColorize, Stream, Style};

use super::args::{ColorChoice, Global};
use super::progress::Progress;
use crate::error::{Error, Result};
use crate::event::Events;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Quiet,
    Normal,
    Verbose,
}

/// Prints for people and for programs, as the global options say. Cheap to clone.
#[derive(Clone)]
pub struct Ui {
    pub level: Level,
    pub json: bool,
    bars: MultiProgress,
    /// Whether bars are drawn and questions asked.
    pub interactive: bool,
}

impl Ui {
    pub fn new(global: &Global) -> Self {
        match global.color {
            ColorChoice::Auto => {}
            ColorChoice::Always => owo_colors::set_override(true),
            ColorChoice::Never => owo_colors::set_override(false),
        }
        let level = match (global.quiet, global.verbose) {
            (true, _) => Level::Quiet,
            (_, true) => Level::Verbose,
            _ => Level::Normal,
        };
        let interactive = std::io::stderr().is_terminal();
        let target = match interactive && level > Level::Quiet {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        Ui {
            level,
            json: global.json,
            bars: MultiProgress::with_draw_target(target),
            interactive,
        }
    }

    /// The handle through which workflows tell what they do.
    pub fn events(&self) -> Events {
        Events::new(Arc::new(Progress::new(self.clone())))
    }

    pub(super) fn add_bar(&self, bar: ProgressBar) -> ProgressBar {
        self.bars.add(bar)
    }

    /// A line on stderr, above any bar.
    pub fn line(&self, text: &str) {
        self.bars.suspend(|| {
            // A closed stderr is no reason to stop working.
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        });
    }

    /// A line on stderr unless `--quiet`.
    pub fn say(&self, text: &str) {
        if self.level > Level::Quiet {
            self.line(text);
        }
    }

    /// Data on stdout. A reader that went away (`| head`) ends the output, not the program.
    pub fn data(&self, text: &str) {
        self.bars.suspend(|| {
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{text}").and_then(|()| out.flush());
        });
    }

    /// The value as JSON on stdout.
    pub fn print_json(&self, value: &impl serde::Serialize) {
        let text = serde_json::to_string_pretty(value).expect("reports are plain data");
        self.data(&text);
    }

    /// Whether a person sits before it.
    pub fn can_ask(&self) -> bool {
        self.interactive && std::io::stdin().is_terminal()
    }

    /// Asks yes or no above any bar; `None` where the question is left (Escape).
    pub fn choose(&self, question: &str) -> Option<bool> {
        self.bars.suspend(|| {
            dialoguer::Confirm::new()
                .with_prompt(question)
                .interact_opt()
                .ok()
                .flatten()
        })
    }

    /// Asks on a terminal.
    ///
    /// # Errors
    /// `Refused` where nobody can be asked, with the flag to use instead, and where the answer is no.
    pub fn confirm(&self, question: &str, yes: bool, refusal: &str) -> Result<()> {
        if yes {
            return Ok(());
        }
        if !self.can_ask() {
            return Err(Error::refused(format!("{refusal} without being asked"))
                .hint("add --yes where nobody can answer"));
        }
        let agreed = dialoguer::Confirm::new()
            .with_prompt(question)
            .default(false)
            .interact()
            .map_err(|e| Error::failed(format!("cannot ask: {e}")))?;
        match agreed {
            true => Ok(()),
            false => Err(Error::refused("nothing was done")),
        }
    }

    /// Shows a failure: the sentence, the excerpt indented, the hint.
    pub fn error(&self, error: &Error) {
        if self.json {
            let value = serde_json::json!({ "error": {
                "kind": format!("{:?}", error.kind()).to_lowercase(),
                "message": error.message(),
                "detail": error.detail_text(),
                "hint": error.hint_text(),
                "sqlstate": error.sqlstate(),
            }});
            self.print_json(&value);
        }
        self.line(&format!(
            "{} {}",
            paint("error:", Style::new().red().bold()),
            error.message()
        ));
        if let Some(detail) = error.detail_text() {
            for line in detail.lines() {
                self.line(&format!("  {line}"));
            }
        }
        if let Some(hint) = error.hint_text() {
            self.line(&format!(
                "{} {hint}",
                paint("hint:", Style::new().cyan().bold())
            ));
        }
    }
}

/// Coloured where stderr takes colours.
pub fn paint(text: &str, style: Style) -> String {
    text.if_supports_color(Stream::Stderr, |text| text.style(style))
        .to_string()
}

pub fn bold(text: &str) -> String {
    paint(text, Style::new().bold())
}

pub fn dim(text: &str) -> String {
    paint(text, Style::new().dimmed())
}

pub fn green(text: &str) -> String {
    paint(text, Style::new().green())
}

pub fn red(text: &str) -> String {
    paint(text, Style::new().red())
}

pub fn yellow(text: &str) -> String {
    paint(text, Style::new().yellow())
}

/// `8 ms`, `1.2 s`, `3 min 20 s`.
pub fn duration(took: Duration) -> String {
    match took.as_millis() {
        ms @ 0..1000 => format!("{ms} ms"),
        ms @ 1000..100_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        ms => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        for (ms, wanted) in [(8, "8 ms"), (1234, "1.2 s"), (200_000, "3 min 20 s")] {
            assert_eq!(duration(Duration::from_millis(ms)), wanted);
        }
    }
}
