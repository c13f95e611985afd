//! For tests of what a `kill -9` leaves behind: debug builds can be told to die at a step.
//!
//! A step is whatever others can see: a statement that is sent, a state file that is written, a
//! container or a folder that is changed. Release builds have none of this.

use std::sync::atomic::{AtomicU32, Ordering};

/// How many steps are left; 0 for all that there are.
static LEFT: AtomicU32 = AtomicU32::new(0);

/// This process dies at step `number`, the first being 1; 0 lets it live.
pub fn die_at(number: u32) {
    LEFT.store(number, Ordering::Relaxed);
}

/// Marks a step, right before it is taken.
pub fn step() {
    #[cfg(debug_assertions)]
    if LEFT.load(Ordering::Relaxed) > 0 && LEFT.fetch_sub(1, Ordering::Relaxed) == 1 {
        // As from outside: nothing is cleaned up, nothing is said.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
        std::thread::park();
    }
}
