//! The progress line of a stage: how far, how fast, how long still.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    Steps,
    Tasks,
    Tokens,
    Items,
}

/// A running stage. Dropping it ends the line.
pub(crate) struct Progress {
    state: Arc<State>,
    printer: Option<JoinHandle<()>>,
}

struct State {
    stage: String,
    unit: Unit,
    total: AtomicU64,
    done: AtomicU64,
    /// What was done before this process began: it counts as done, not as speed.
    before: AtomicU64,
    finished: AtomicBool,
    start: Instant,
}

impl Progress {
    pub(super) fn start(stage: &str, unit: Unit, total: u64, visible: bool, terminal: bool) -> Self {
        let state = Arc::new(State {
            stage: stage.to_owned(),
            unit,
            total: AtomicU64::new(total),
            done: AtomicU64::new(0),
            before: AtomicU64::new(0),
            finished: AtomicBool::new(false),
            start: Instant::now(),
        });
        let shown = Arc::clone(&state);
        let printer = visible.then(|| std::thread::spawn(move || print(&shown, terminal)));
        Self { state, printer }
    }

    pub(crate) fn add(&self, amount: u64) {
        self.state.done.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, amount: u64) {
        self.state.done.store(amount, Ordering::Relaxed);
    }

    /// The total, where it is only known on the way.
    pub(crate) fn set_total(&self, total: u64) {
        self.state.total.store(total, Ordering::Relaxed);
    }

    /// What an earlier process did already.
    pub(crate) fn set_before(&self, amount: u64) {
        self.state.before.store(amount, Ordering::Relaxed);
        self.set(amount);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.state.finished.store(true, Ordering::SeqCst);
        if let Some(printer) = self.printer.take() {
            printer.thread().unpark();
            // The printer has nothing to report; if it panicked the stage itself is still fine.
            drop(printer.join());
        }
    }
}

/// A terminal gets one line that is rewritten; a log file gets a line every ten seconds.
fn print(state: &State, terminal: bool) {
    let every = if terminal { Duration::from_millis(200) } else { Duration::from_secs(10) };
    loop {
        let before = Instant::now();
        while before.elapsed() < every && !state.finished.load(Ordering::SeqCst) {
            std::thread::park_timeout(every.saturating_sub(before.elapsed()));
        }
        let finished = state.finished.load(Ordering::SeqCst);
        match (terminal, finished) {
            (true, false) => write!(std::io::stderr(), "\r\x1b[2K{}", state.line()),
            (true, true) => write!(std::io::stderr(), "\r\x1b[2K"),
            (false, false) => writeln!(std::io::stderr(), "{}", state.line()),
            (false, true) => Ok(()),
        }
        .unwrap_or_default(); // where nobody listens, nothing is lost
        if finished {
            return;
        }
    }
}

impl State {
    fn line(&self) -> String {
        let [done, before, total] = [&self.done, &self.before, &self.total].map(|count| count.load(Ordering::Relaxed));
        line(&self.stage, self.unit, [done, before, total], self.start.elapsed().as_secs_f64())
    }
}

fn line(stage: &str, unit: Unit, [done, before, total]: [u64; 3], seconds: f64) -> String {
    let rate = done.saturating_sub(before) as f64 / seconds.max(1e-9);
    let mut line = format!("{stage:>9}  {} of {}", amount(unit, done), amount(unit, total));
    if total > 0 {
        line.push_str(&format!("  {:>3}%", (100 * u128::from(done) / u128::from(total)).min(100)));
    }
    match unit {
        Unit::Bytes => line.push_str(&format!("  {}/s", bytes(rate as u64))),
        Unit::Steps => line.push_str(&format!("  {rate:.1} steps/s")),
        Unit::Tasks => line.push_str(&format!("  {rate:.1} tasks/s")),
        Unit::Tokens => line.push_str(&format!("  {rate:.0} tokens/s")),
        Unit::Items => line.push_str(&format!("  {rate:.2} items/s")),
    }
    if rate > 0.0 && done < total {
        line.push_str(&format!("  ETA {}", duration(((total - done) as f64 / rate) as u64)));
    }
    line
}

fn amount(unit: Unit, value: u64) -> String {
    match unit {
        Unit::Bytes => bytes(value),
        Unit::Steps => format!("{value} steps"),
        Unit::Tasks => format!("{value} tasks"),
        Unit::Tokens => format!("{value} tokens"),
        Unit::Items => format!("{value} items"),
    }
}

/// `1536` → `1.5 kB`; decimal units, as rates are given everywhere else.
pub(crate) fn bytes(value: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut scaled = value as f64;
    let mut unit = 0;
    while scaled >= 1000.0 && unit + 1 < UNITS.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{value} B") } else { format!("{scaled:.1} {}", UNITS[unit]) }
}

/// Seconds as `42s`, `3m 05s` or `2h 07m`.
pub(crate) fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_how_fast_and_how_long() {
        assert_eq!(line("clean", Unit::Bytes, [500_000, 0, 2_000_000], 2.0), "    clean  500.0 kB of 2.0 MB   25%  250.0 kB/s  ETA 6s");
        assert_eq!(line("train", Unit::Steps, [10, 0, 10], 5.0), "    train  10 steps of 10 steps  100%  2.0 steps/s");
        // What an earlier process did is no speed of this one.
        assert_eq!(line("train", Unit::Steps, [95, 90, 100], 5.0), "    train  95 steps of 100 steps   95%  1.0 steps/s  ETA 5s");
        assert_eq!(line("x", Unit::Tasks, [0, 0, 0], 0.0), "        x  0 tasks of 0 tasks  0.0 tasks/s");
    }

    #[test]
    fn durations_and_bytes() {
        assert_eq!((duration(59), duration(185), duration(7620)), ("59s".into(), "3m 05s".into(), "2h 07m".into()));
        assert_eq!((bytes(999), bytes(1500), bytes(u64::MAX)), ("999 B".into(), "1.5 kB".into(), "18446744.1 TB".into()));
    }
}
