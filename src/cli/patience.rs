//! How long a child process may take before it counts as one that hangs.
//!
//! It is processor time that counts: on a busy machine a case that is quick takes long by the clock, and is no finding.

use std::fs;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// A process that waits for ever uses no processor time, so there is an end by the clock too, after so many times as long.
const BY_THE_CLOCK: u32 = 10;

/// Waits for an answer of a child process: [`RecvTimeoutError::Timeout`] if it has used this much processor time meanwhile, or ten
/// times as long has gone by.
pub fn wait<T>(
    answers: &Receiver<T>,
    process: u32,
    timeout: Duration,
) -> Result<T, RecvTimeoutError> {
    let (start, before) = (Instant::now(), processor_time(process));
    let mut left = timeout;
    loop {
        match answers.recv_timeout(left) {
            Err(RecvTimeoutError::Timeout) => {}
            answered => return answered,
        }
        // Of a process that is no more nothing is known, and nothing is to be waited for.
        let used = processor_time(process).zip(before);
        let used = used.map_or(timeout, |(now, before)| now.saturating_sub(before));
        let end = timeout.saturating_mul(BY_THE_CLOCK);
        if used >= timeout || start.elapsed() >= end {
            return Err(RecvTimeoutError::Timeout);
        }
        left = (timeout - used).min(end.saturating_sub(start.elapsed()));
    }
}

/// The processor time that a process has used, in all its threads, in the kernel and outside.
fn processor_time(process: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may have spaces and parentheses.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11).map(str::parse);
    let user: u64 = times.next()?.ok()?;
    let system: u64 = times.next()?.ok()?;
    let ticks = rustix::param::clock_ticks_per_second();
    Some(Duration::from_secs_f64(
        (user + system) as f64 / ticks as f64,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command, Stdio};
    use std::sync::mpsc::sync_channel;

    fn shell(script: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::null());
        command.spawn().unwrap()
    }

    /// Waits in vain; the answer is how much processor time the process had used then, and how long that took by the clock.
    fn ended(script: &str, timeout: Duration) -> (Duration, Duration) {
        let mut child = shell(script);
        let (_sender, answers) = sync_channel::<()>(0);
        let start = Instant::now();
        let waited = wait(&answers, child.id(), timeout);
        assert_eq!(waited, Err(RecvTimeoutError::Timeout));
        let ended = (processor_time(child.id()).unwrap(), start.elapsed());
        child.kill().unwrap();
        child.wait().unwrap();
        ended
    }

    #[test]
    fn a_process_may_use_so_much_processor_time_and_no_more() {
        let timeout = Duration::from_millis(300);
        let by_the_clock = timeout * BY_THE_CLOCK;
        // On an idle machine as on a busy one; on one so busy that it gets nearly nothing, the clock ends it.
        let (used, elapsed) = ended("while :; do :; done", timeout);
        assert!(used >= timeout || elapsed >= by_the_clock);
        // This one waits for ever, and uses next to nothing.
        let (used, elapsed) = ended("exec sleep 1000", timeout);
        assert!(used < timeout && elapsed >= by_the_clock);
    }

    #[test]
    fn an_answer_and_the_end_of_a_process_are_told_at_once() {
        let (sender, answers) = sync_channel(1);
        sender.send(7).unwrap();
        let process = std::process::id();
        assert_eq!(wait(&answers, process, Duration::MAX), Ok(7));
        drop(sender);
        let gone = wait(&answers, process, Duration::MAX);
        assert_eq!(gone, Err(RecvTimeoutError::Disconnected));
    }
}
