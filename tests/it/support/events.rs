//! Events kept for a test to look at.

use std::sync::{Arc, Mutex};

use devdb::event::{Event, Events, Reporter};

#[derive(Default)]
pub struct Recorded(Mutex<Vec<Event>>);

impl Reporter for Recorded {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Recorded {
    pub fn new() -> (Arc<Self>, Events) {
        let recorded = Arc::new(Recorded::default());
        (recorded.clone(), Events::new(recorded))
    }

    /// The items of all tasks, in order: `1/3 name`.
    pub fn steps(&self) -> Vec<String> {
        let mut total = 0;
        let mut steps = Vec::new();
        for event in self.0.lock().unwrap().iter() {
            match event {
                Event::Begin { total: t, .. } => total = t.unwrap_or_default(),
                Event::Advance { done, item, .. } => steps.push(format!("{done}/{total} {item}")),
                _ => {}
            }
        }
        steps
    }

    /// The notes.
    pub fn notes(&self) -> Vec<String> {
        let events = self.0.lock().unwrap();
        let note = |event: &Event| match event {
            Event::Note(text) => Some(text.clone()),
            _ => None,
        };
        events.iter().filter_map(note).collect()
    }

    /// What child processes printed.
    pub fn output(&self) -> String {
        let events = self.0.lock().unwrap();
        let line = |event: &Event| match event {
            Event::Output { line, .. } => Some(format!("{line}\n")),
            _ => None,
        };
        events.iter().filter_map(line).collect()
    }
}
