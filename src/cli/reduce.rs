//! `switchback reduce`: a module that shows the same and is small.

use super::isolate::{Isolated, IsolatedJudge, Mode};
use super::lineup::{Lineup, Mask};
use super::{Finding, input, output};
use anyhow::{Context, anyhow, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use switchback::engines::{self, Settings, SetupError};
use switchback::observe::observe;
use switchback::reduce::{Judge, Measure, Progress, Reduced, reduce};
use switchback::report::{Signature, module_text};
use switchback::wast::Host;

/// Make a module small that shows a difference, a crash or a hang.
///
/// The result shows the same: the same kind of difference, between the same
/// engines, at the same instruction. A woven module is first reduced by the plan
/// that it was made from, all modules operator by operator. Every candidate runs in
/// a child process. The same module gives the same result, unless the time is up.
#[derive(Args)]
pub struct Arguments {
    /// The module, in the binary or the text format.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where to write the result, as text if the name ends with `.wat`
    /// [default: FILE with the extension .reduced.wasm].
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    search: Search,
    /// Write one JSON object instead of the result's text.
    #[arg(long)]
    json: bool,
}

/// How a reduction is run; `regress` has the same.
#[derive(Args)]
pub struct Search {
    #[command(flatten)]
    pub lineup: Lineup,
    /// Stop a reduction after this time, with the smallest module so far. Few findings need a second one.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub time: Duration,
    /// Count a candidate that takes more processor time than this, or ten times as long, as a hang.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = super::positive_duration)]
    pub timeout: Duration,
}

/// The JSON form.
#[derive(Serialize)]
struct Json<'a> {
    path: &'a Path,
    config: &'a [String],
    signature: &'a Signature,
    before: Measure,
    after: Measure,
    judged: u64,
    finished: bool,
    seconds: f64,
}

pub fn main(mut arguments: Arguments) -> anyhow::Result<Finding> {
    let start = Instant::now();
    let wasm = input::module(&arguments.file)?;
    arguments.search.pin(&wasm)?;
    let path = arguments
        .output
        .clone()
        .unwrap_or_else(|| arguments.file.with_extension("reduced.wasm"));
    writable(&path)?;
    let mut judge = arguments.search.judge(&arguments.file, &wasm)?;
    let reduced = arguments.search.run(&arguments.file, &wasm, &mut judge)?;
    let text = module_text(&reduced.wasm).context("the result as text")?;
    let contents = match path.extension() {
        Some(extension) if extension == "wat" => text.as_bytes(),
        _ => &reduced.wasm,
    };
    fs::write(&path, contents).with_context(|| path.display().to_string())?;
    if arguments.json {
        output::json(&Json {
            path: &path,
            config: &arguments.search.lineup.config,
            signature: &reduced.signature,
            before: reduced.before,
            after: reduced.after,
            judged: reduced.judged,
            finished: reduced.finished,
            seconds: start.elapsed().as_secs_f64(),
        })?;
    } else {
        output::text(&text)?;
        anstream::eprintln!("{}", summary(&reduced, &path, &arguments.search));
    }
    Ok(Finding::Nothing)
}

/// Sees that a file can be written, before the long work whose result it is for. What is there stays as it is.
fn writable(path: &Path) -> anyhow::Result<()> {
    let tried = match fs::metadata(path) {
        Ok(there) if there.is_file() || there.is_dir() => {
            OpenOptions::new().write(true).open(path).map(drop)
        }
        // A pipe's reader would notice.
        Ok(_) => Ok(()),
        Err(_) => {
            let folder = output::folder(path);
            // Asked first for the plainer error: that of the temporary file names it.
            fs::metadata(folder).and_then(|_| tempfile::tempfile_in(folder).map(drop))
        }
    };
    tried.with_context(|| path.display().to_string())
}

/// What was done, in a few lines.
fn summary(reduced: &Reduced, path: &Path, search: &Search) -> String {
    let Reduced { before, after, .. } = reduced;
    let mut text = format!(
        "{}: {} of {} instructions, {} of {} bytes, after {} judgements\nit still shows: {}",
        path.display(),
        after.instructions,
        before.instructions,
        after.bytes,
        before.bytes,
        reduced.judged,
        reduced.signature
    );
    text += &format!(
        "\nshow it again: switchback diff {}{}",
        output::quoted(path.display()),
        search.lineup.options()
    );
    if !reduced.finished {
        let time = humantime::format_duration(search.time);
        text += &format!("\nthe time ({time}) was up: more may give a smaller one");
    }
    text
}

/// Numbers of instructions after which the reference gives a candidate up, the quickest first: a step may make a candidate
/// endless, and what the module itself needs is little, mostly.
const BOUNDS: [u64; 2] = [50_000, 1_000_000];

impl Search {
    /// Keeps to the configurations that this module draws: the modules made of it have other bytes, and would draw others.
    pub fn pin(&mut self, wasm: &[u8]) -> Result<(), SetupError> {
        self.lineup = self.lineup.pinned(wasm)?;
        Ok(())
    }

    /// An executor in a child process.
    pub fn isolated(&self) -> Isolated {
        Isolated::new(&self.lineup, &Mask::default(), self.timeout).terse()
    }

    /// A judge with a bound on the reference's instructions.
    fn within(&self, bound: Option<u64>, mode: Mode) -> IsolatedJudge {
        let isolated = self.isolated();
        let isolated = match bound {
            Some(bound) => isolated.within(bound),
            None => isolated,
        };
        IsolatedJudge {
            isolated,
            mode,
            alone: false,
        }
    }

    /// A judge of scripts, with the quickest bound under which the module fails one, or else with the largest. It has judged nothing
    /// in its process: some bugs show in the first case of a process only.
    pub fn of_scripts(&self, host: Host, wasm: &[u8]) -> anyhow::Result<IsolatedJudge> {
        let [quick, bound] = BOUNDS.map(Some);
        let judge = |bound| self.within(bound, Mode::Script(host));
        Ok(match judge(quick).judge(wasm)? {
            Some(_) => judge(quick),
            None => judge(bound),
        })
    }

    /// A judge under whom the module shows something: with traces if it does so
    /// with them, and with the quicker bound on instructions if that suffices. It has judged nothing in its process.
    pub fn judge(&self, path: &Path, wasm: &[u8]) -> anyhow::Result<IsolatedJudge> {
        let bounds = BOUNDS.map(Some).into_iter().chain([None]);
        for (bound, mode) in
            bounds.flat_map(|bound| [(bound, Mode::Traced), (bound, Mode::Untraced)])
        {
            if self.within(bound, mode).judge(wasm)?.is_some() {
                return Ok(self.within(bound, mode));
            }
        }
        self.suitable(path, wasm)?;
        bail!(
            "{}: the engines agree, so there is nothing to reduce",
            path.display()
        )
    }

    /// Sees that the module is one that the reference can run. It is asked where nothing is shown: that engines accept what the
    /// reference refuses is a difference.
    ///
    /// # Errors
    ///
    /// What the reference says of a module that it cannot run.
    pub fn suitable(&self, path: &Path, wasm: &[u8]) -> anyhow::Result<()> {
        let (reference, _) = engines::split_reference(&self.lineup.engines)?;
        let [_, bound] = BOUNDS;
        let settings = Settings {
            instructions: Some(bound),
            ..Settings::default()
        };
        let engine = engines::create(reference.name, &settings)?;
        let instantiation = observe(engine.as_ref(), wasm).instantiation;
        match input::unsuitable(path, reference.name, &instantiation) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Whether the module shows anything, alone in a new process.
    pub fn shows(&self, wasm: &[u8]) -> bool {
        self.judge(Path::new(""), wasm).is_ok()
    }

    /// Runs a reduction with a progress line. Where its result shows the difference only in a process that has run other modules, as
    /// bugs do that depend on what lies in memory, it is run again with a process for each judgement.
    pub fn run(
        &self,
        path: &Path,
        wasm: &[u8],
        judge: &mut IsolatedJudge,
    ) -> anyhow::Result<Reduced> {
        let reduced = self.run_once(path, wasm, judge)?;
        judge.isolated.restart();
        if judge.judge(&reduced.wasm)?.as_ref() == Some(&reduced.signature) {
            return Ok(reduced);
        }
        judge.alone = true;
        // If nothing shows it alone, what there is has to do.
        Ok(self.run_once(path, wasm, judge).unwrap_or(reduced))
    }

    fn run_once(&self, path: &Path, wasm: &[u8], judge: &mut dyn Judge) -> anyhow::Result<Reduced> {
        let style = ProgressStyle::with_template("{elapsed_precise} {msg}");
        let bar = ProgressBar::new_spinner()
            .with_style(style.expect("the template above is well-formed"));
        let mut watch = Watch {
            bar,
            start: Instant::now(),
            time: self.time,
        };
        let reduced = reduce(wasm, judge, &mut watch);
        watch.bar.finish_and_clear();
        reduced.map_err(|error| anyhow!("{}: {error}", path.display()))
    }
}

/// Shows the progress, and ends the reduction when the time is up.
struct Watch {
    bar: ProgressBar,
    start: Instant,
    time: Duration,
}

impl Progress for Watch {
    fn step(&mut self, judged: u64, best: Measure) -> bool {
        self.bar.set_message(format!(
            "{} instructions, {} bytes left  {judged} judgements",
            best.instructions, best.bytes
        ));
        self.bar.tick();
        self.start.elapsed() < self.time
    }
}
