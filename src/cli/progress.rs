//! Events as bars on a terminal, as one line each elsewhere.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::ui::{Level, Ui, dim, duration, green, yellow};
use crate::event::{Event, Reporter};

pub struct Progress {
    ui: Ui,
    tasks: Mutex<HashMap<u64, (String, ProgressBar)>>,
}

impl Progress {
    pub fn new(ui: Ui) -> Self {
        Progress {
            ui,
            tasks: Mutex::default(),
        }
    }

    fn begin(&self, task: u64, name: String, total: Option<u64>, bytes: bool) {
        let (bar, template) = match total {
            Some(total) if bytes => (
                ProgressBar::new(total),
                "{spinner:.cyan} {prefix} {bar:24.cyan/blue} {decimal_bytes}/{decimal_total_bytes}, {eta} left",
            ),
            Some(total) => (
                ProgressBar::new(total),
                "{spinner:.cyan} {prefix} {bar:24.cyan/blue} {pos}/{len} {wide_msg:.dim}",
            ),
            None => (
                ProgressBar::new_spinner(),
                "{spinner:.cyan} {prefix} {wide_msg:.dim}",
            ),
        };
        let style = ProgressStyle::with_template(template).expect("a constant template");
        let bar = self
            .ui
            .add_bar(bar.with_style(style).with_prefix(name.clone()));
        bar.enable_steady_tick(Duration::from_millis(80));
        self.lock().insert(task, (name, bar));
    }

    fn finish(&self, task: u64) -> Option<String> {
        let (name, bar) = self.lock().remove(&task)?;
        bar.finish_and_clear();
        Some(name)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, (String, ProgressBar)>> {
        self.tasks
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Reporter for Progress {
    fn event(&self, event: Event) {
        match event {
            Event::Begin {
                task,
                name,
                total,
                bytes,
            } => self.begin(task, name, total, bytes),
            Event::Advance { task, done, item } => {
                if let Some((name, bar)) = self.lock().get(&task) {
                    bar.set_position(done);
                    if self.ui.level == Level::Verbose && !item.is_empty() {
                        self.ui.line(&dim(&format!("  {name}: {item}")));
                    }
                    bar.set_message(item);
                }
            }
            Event::End {
                task,
                outcome,
                took,
            } => {
                let Some(name) = self.finish(task) else {
                    return;
                };
                // A task without an outcome was only worth watching while it ran.
                if !outcome.is_empty() || self.ui.level == Level::Verbose {
                    let outcome = match outcome.as_str() {
                        "" => String::new(),
                        outcome => format!(": {outcome}"),
                    };
                    self.ui.say(&format!(
                        "{} {name}{outcome} {}",
                        green("✓"),
                        dim(&format!("({})", duration(took)))
                    ));
                }
            }
            Event::Abandon { task } => {
                self.finish(task);
            }
            Event::Note(text) => self.ui.say(&format!("{} {text}", dim("·"))),
            Event::Warning(text) => self.ui.line(&format!("{} {text}", yellow("warning:"))),
            Event::Detail(text) => {
                if self.ui.level == Level::Verbose {
                    self.ui.line(&dim(&format!("  {text}")));
                }
            }
            Event::Output { source, line } => {
                if self.ui.level == Level::Verbose {
                    self.ui.line(&dim(&format!("  {source} | {line}")));
                }
            }
        }
    }
}
