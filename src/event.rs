//! What is happening, as data. Workflows and rooms send events; `cli` shows them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// One thing that happened, in order. `task` numbers are unique in a process.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Something that may take a while began: "starting Postgres", "replaying migrations".
    Begin {
        task: u64,
        name: String,
        total: Option<u64>,
        /// Whether `total` and `done` count bytes.
        bytes: bool,
    },
    /// `done` of `total` items are finished; `item` is the one at work.
    Advance { task: u64, done: u64, item: String },
    /// It ended well; `outcome` is a short clause ("42 migrations"), may be empty.
    End {
        task: u64,
        outcome: String,
        took: Duration,
    },
    /// It ended badly or was given up; the error itself travels as a `Result`.
    Abandon { task: u64 },
    /// Worth knowing, shown unless `--quiet`.
    Note(String),
    /// Needs attention, always shown.
    Warning(String),
    /// For `--verbose`.
    Detail(String),
    /// A line that a child process or the server printed, for `--verbose`.
    Output { source: String, line: String },
}

/// Receives events; called from any thread, must not block for long.
pub trait Reporter: Send + Sync {
    fn event(&self, event: Event);
}

/// The handle through which every part tells what it does. Cheap to clone.
#[derive(Clone)]
pub struct Events(Arc<dyn Reporter>);

static NEXT_TASK: AtomicU64 = AtomicU64::new(1);

impl Events {
    pub fn new(reporter: Arc<dyn Reporter>) -> Self {
        Events(reporter)
    }

    /// Nobody listens.
    pub fn silent() -> Self {
        struct Silent;
        impl Reporter for Silent {
            fn event(&self, _: Event) {}
        }
        Events(Arc::new(Silent))
    }

    /// The same, without tasks of its own and what would be said once more: for the parts of a task
    /// that is shown as one.
    pub fn inside_a_task(&self) -> Self {
        struct Inside(Events);
        impl Reporter for Inside {
            fn event(&self, event: Event) {
                if matches!(event, Event::Detail(_) | Event::Output { .. }) {
                    self.0.0.event(event);
                }
            }
        }
        Events(Arc::new(Inside(self.clone())))
    }

    pub fn note(&self, text: impl Into<String>) {
        self.0.event(Event::Note(text.into()));
    }

    pub fn warn(&self, text: impl Into<String>) {
        self.0.event(Event::Warning(text.into()));
    }

    pub fn detail(&self, text: impl Into<String>) {
        self.0.event(Event::Detail(text.into()));
    }

    pub fn output(&self, source: impl Into<String>, line: impl Into<String>) {
        self.0.event(Event::Output {
            source: source.into(),
            line: line.into(),
        });
    }

    /// Begins a task; `total` counts its items where they are known. A task that is dropped
    /// without [`Task::end`] is reported as abandoned, so that no spinner turns for ever.
    pub fn begin(&self, name: impl Into<String>, total: Option<u64>) -> Task {
        self.begin_task(name.into(), total, false)
    }

    /// Begins a task that moves so many bytes.
    pub fn begin_bytes(&self, name: impl Into<String>, total: u64) -> Task {
        self.begin_task(name.into(), Some(total), true)
    }

    fn begin_task(&self, name: String, total: Option<u64>, bytes: bool) -> Task {
        let id = NEXT_TASK.fetch_add(1, Ordering::Relaxed);
        self.0.event(Event::Begin {
            task: id,
            name,
            total,
            bytes,
        });
        Task {
            events: self.clone(),
            id,
            started: Instant::now(),
            ended: false,
        }
    }
}

/// A running task. See [`Events::begin`].
pub struct Task {
    events: Events,
    id: u64,
    started: Instant,
    ended: bool,
}

impl Task {
    /// `done` items are finished and `item` is at work now.
    pub fn advance(&self, done: u64, item: impl Into<String>) {
        self.events.0.event(Event::Advance {
            task: self.id,
            done,
            item: item.into(),
        });
    }

    pub fn end(mut self, outcome: impl Into<String>) {
        self.ended = true;
        self.events.0.event(Event::End {
            task: self.id,
            outcome: outcome.into(),
            took: self.started.elapsed(),
        });
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.ended {
            self.events.0.event(Event::Abandon { task: self.id });
        }
    }
}
