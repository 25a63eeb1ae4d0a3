//! `switchback fuzz`: the main job.

use super::corpus::Cases;
use super::isolate::Isolated;
use super::lineup::{Lineup, Mask};
use super::{Finding, diff, output};
use anyhow::{Context, anyhow};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use switchback::engines;
use switchback::fuzzing::{
    Found, Instruction, KINDS, Limits, Lost, Origin, Progress, Share, Summary, WAYS, campaign,
};
use switchback::generate::Scope;
use switchback::report::{Signature, module_text};

/// Generate modules, run each on all engines, compare, keep what differs.
///
/// A part of the cases are mutants of earlier ones that showed something new (a
/// pair of events, an end of a call); the others are generated. Case i of a campaign
/// depends on the seed, on i and on the corpus, which depends on the seed and on what
/// --corpus gives: the same seed and files give the same cases, findings and digest,
/// with any number of jobs. Cases run in
/// worker processes, one per job, so that a crash or a hang of an engine is a
/// finding like any other. Findings are grouped by what marks them (the kind of
/// difference, the engines, the instruction), and the three smallest of each group
/// are written to the folder of --out as NNN.wasm (the case), NNN.wat (its text),
/// NNN.txt (the report) and NNN.html (the report for a browser);
/// `switchback diff NNN.wasm` shows it again, `switchback reduce NNN.wasm` makes it
/// small.
///
/// `--plant list` shows all bugs that can be planted. Ctrl-C ends a campaign with the summary.
#[derive(Args)]
pub struct Arguments {
    /// Stop after this time, such as 60s, 10m or 8h [default: 60s, unless --execs is given].
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, conflicts_with = "execs")]
    time: Option<Duration>,
    /// Stop after this many executions, that is cases.
    #[arg(long, value_name = "N")]
    execs: Option<u64>,
    /// The seed of the campaign.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// How many cases run at the same time.
    #[arg(long, value_name = "J", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: u16,
    /// The folder for what is found.
    #[arg(long, value_name = "DIR", default_value = "findings")]
    out: PathBuf,
    /// Stop after this many different findings, that is groups.
    #[arg(long, value_name = "N", default_value_t = 10)]
    max_findings: u64,
    /// Count a case that takes more processor time than this, or ten times as long, as a hang.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = super::positive_duration)]
    timeout: Duration,
    #[command(flatten)]
    cases: Cases,
    #[command(flatten)]
    lineup: Lineup,
    #[command(flatten)]
    mask: Mask,
    /// Write one JSON object at the end.
    #[arg(long)]
    json: bool,
}

/// The JSON form.
#[derive(Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    findings: &'a [Written],
}

/// A finding and where it was written.
#[derive(Serialize)]
struct Written {
    index: u64,
    seed: u64,
    origin: &'static str,
    #[serde(flatten)]
    signature: Signature,
    /// The size of the module in bytes.
    #[serde(skip)]
    size: usize,
    path: PathBuf,
}

pub fn main(arguments: Arguments) -> anyhow::Result<Finding> {
    if arguments.lineup.plant.as_deref() == Some("list") {
        return list_planted();
    }
    let (lineup, mask) = (&arguments.lineup, &arguments.mask);
    // A setting that does not fit is told here, before any worker starts.
    let scope = mask.runner(lineup)?.scope();

    // Told now, and not when the first finding is to be written; but without a finding there is to be no folder.
    let there = arguments.out.ancestors().find(|path| path.exists());
    if let Some(file) = there.filter(|path| !path.is_dir()) {
        return Err(anyhow!(
            "{}: {} is not a folder",
            arguments.out.display(),
            file.display()
        ));
    }

    let strategy = arguments.cases.strategy(scope)?;

    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    ctrlc::set_handler(move || {
        // The second time, the wish is to be gone at once.
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })
    .context("the handler of Ctrl-C")?;

    let limits = Limits {
        executions: arguments.execs,
        time: match arguments.execs {
            None => Some(arguments.time.unwrap_or(Duration::from_secs(60))),
            Some(_) => None,
        },
        findings: Some(arguments.max_findings),
    };
    let jobs = 0..arguments.jobs;
    let executors = jobs
        .map(|_| Isolated::new(lineup, mask, arguments.timeout))
        .collect();
    let mut keeper = Keeper {
        bar: progress_bar(&arguments),
        out: arguments.out.clone(),
        cases: arguments.cases.clone(),
        mask: mask.clone(),
        scope,
        lineup: lineup.clone(),
        timeout: arguments.timeout,
        next_number: 0,
        written: Vec::new(),
    };
    let seed = arguments.seed;
    let summary = campaign(seed, limits, &strategy, executors, &stop, &mut keeper);
    keeper.bar.finish_and_clear();
    let summary = summary.map_err(|lost| anyhow!("{lost}"))?;
    let findings = &keeper.written;
    if arguments.json {
        output::json(&Json {
            summary: &summary,
            findings,
        })?;
    } else {
        output::text(&table(&summary, findings))?;
    }
    Ok(if findings.is_empty() {
        Finding::Nothing
    } else {
        Finding::Something
    })
}

fn list_planted() -> anyhow::Result<Finding> {
    let bugs = engines::planted();
    if bugs.is_empty() {
        return Err(anyhow!("this build has no planted bugs"));
    }
    let width = bugs.iter().map(|(_, b)| b.name.len()).max().unwrap_or(0);
    let lines = bugs
        .iter()
        .map(|(engine, bug)| format!("{:width$}  {engine}: {}\n", bug.name, bug.summary));
    output::text(&lines.collect::<String>())?;
    Ok(Finding::Nothing)
}

/// The progress line, on standard error and only on a terminal.
fn progress_bar(arguments: &Arguments) -> ProgressBar {
    let (bar, template) = match arguments.execs {
        Some(execs) => (
            ProgressBar::new(execs),
            "{elapsed_precise} {wide_bar} {pos}/{len}  {msg}",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{elapsed_precise} {pos} executions  {msg}",
        ),
    };
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.expect("the templates above are well-formed"))
}

/// Shows the progress and writes findings to files.
struct Keeper {
    bar: ProgressBar,
    out: PathBuf,
    cases: Cases,
    mask: Mask,
    scope: Scope,
    lineup: Lineup,
    timeout: Duration,
    next_number: u32,
    written: Vec<Written>,
}

impl Progress for Keeper {
    fn executed(&mut self, summary: &Summary) {
        self.bar.set_position(summary.executions);
        let elapsed = self.bar.elapsed().as_secs_f64().max(1e-3);
        self.bar.set_message(format!(
            "{:.0}/s  {} findings in {} groups  {} discarded",
            summary.executions as f64 / elapsed,
            summary.divergences,
            summary.groups.len(),
            summary.discarded()
        ));
    }

    fn found(&mut self, found: &Found<'_>) -> Result<(), Lost> {
        let Some(place) = self.place(found) else {
            return Ok(());
        };
        let base = match place {
            Place::New => self.free_name(),
            Place::Of(index) => self.written.remove(index).path.with_extension(""),
        };
        let path = self
            .write(&base, found)
            .map_err(|error| Lost(format!("{error:#}")))?;
        self.bar.println(format!(
            "{}: execution {}, {}",
            path.display(),
            found.index + 1,
            found.finding.signature
        ));
        self.written.push(Written {
            index: found.index,
            seed: found.origin.seed(),
            origin: named(found.origin),
            signature: found.finding.signature.clone(),
            size: found.size,
            path,
        });
        Ok(())
    }

    fn kept(&mut self, wasm: &[u8]) -> Result<(), Lost> {
        let written = self.cases.keep(wasm);
        written.map_err(|error| Lost(format!("{error:#}")))
    }
}

/// What an origin is called.
fn named(origin: &Origin) -> &'static str {
    match origin {
        Origin::Seed(_) => "generated",
        Origin::Given { .. } => "given",
        Origin::Mutant { .. } => "mutant",
    }
}

/// How many findings of a group are kept: a second one shows what they have in
/// common, more are noise.
const KEPT: usize = 3;

/// Where a finding is kept.
enum Place {
    /// In files of its own.
    New,
    /// In those of the larger finding with this index, of the same group.
    Of(usize),
}

impl Keeper {
    /// Where a finding is kept, if it is: the smallest of each group are.
    fn place(&self, found: &Found<'_>) -> Option<Place> {
        let group = self.written.iter().enumerate();
        let group = group.filter(|(_, kept)| kept.signature == found.finding.signature);
        if group.clone().count() < KEPT {
            return Some(Place::New);
        }
        let (index, largest) = group.max_by_key(|(_, kept)| kept.size)?;
        // A case that crashed has no size; the first ones are as good as any.
        (0 < found.size && found.size < largest.size).then_some(Place::Of(index))
    }

    /// Writes a finding's files; returns the path of the module, or of the report
    /// if the generator makes no module of the seed.
    fn write(&self, base: &Path, found: &Found<'_>) -> anyhow::Result<PathBuf> {
        fs::create_dir_all(&self.out).with_context(|| self.out.display().to_string())?;
        let report = base.with_extension("txt");
        let mut text = format!(
            "{}\ncase {} of the campaign ({}), seed {}\n",
            found.finding.text,
            found.index,
            named(found.origin),
            found.origin.seed()
        );
        // What was found may be a panic of the generator or of the mutator itself.
        let scope = self.scope;
        let module = panic::catch_unwind(|| found.origin.module(scope));
        let Ok(wasm) = module else {
            text += &match found.origin {
                // The seed draws among the same generators again, for the same engines.
                Origin::Seed(seed) => format!(
                    "reproduce: switchback generate --seed {seed}{}{}\n",
                    self.lineup.engine_options(),
                    self.mask.options()
                ),
                _ => format!(
                    "reproduce: the same campaign, to case {} at least\n",
                    found.index
                ),
            };
            write(&report, text.as_bytes())?;
            return Ok(report);
        };
        let path = base.with_extension("wasm");
        write(&path, &wasm)?;
        // A module that cannot be printed is still a finding.
        if let Ok(printed) = module_text(&wasm) {
            write(&base.with_extension("wat"), printed.as_bytes())?;
        }
        let options = self.lineup.pinned(&wasm)?.options();
        let quoted = output::quoted(path.display());
        text += &format!("reproduce: switchback diff {quoted}{options}\n");
        match diff::page(&path, &self.lineup, self.timeout)? {
            Some(page) => write(&base.with_extension("html"), page.as_bytes())?,
            None => text += "there is no page: the module alone does not show it again\n",
        }
        write(&report, text.as_bytes())?;
        Ok(path)
    }

    /// The next number whose files are not there: findings of earlier campaigns
    /// are not overwritten.
    fn free_name(&mut self) -> PathBuf {
        loop {
            let base = self.out.join(format!("{:03}", self.next_number));
            self.next_number += 1;
            let taken = |extension| base.with_extension(extension).exists();
            if !taken("wasm") && !taken("txt") {
                return base;
            }
        }
    }
}

fn write(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    fs::write(path, contents).with_context(|| path.display().to_string())
}

/// The summary for people.
fn table(summary: &Summary, findings: &[Written]) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    let of_all = |part| Share(part, summary.executions).to_string();

    row("seed", summary.seed.to_string());
    row(
        "executions",
        format!(
            "{} in {:.1} s, {:.1}/s",
            summary.executions,
            summary.elapsed.as_secs_f64(),
            summary.executions_per_second()
        ),
    );
    row("  mutants", of_all(summary.mutants));
    for (generator, cases) in &summary.generators {
        row(&format!("  {generator}"), of_all(*cases));
    }
    row(
        "corpus",
        format!(
            "{} cases, {} behaviours, {} by mutants first",
            summary.corpus,
            summary.behaviours,
            Share(summary.behaviours_by_mutants, summary.behaviours)
        ),
    );
    let stages = &summary.stages;
    let total = stages.generate + stages.compile + stages.run + stages.reference + stages.compare;
    let stage = |time| format!("{:>9}", Share(time, total));
    row("  time: generate", stage(stages.generate));
    row("  compile", stage(stages.compile));
    row("  run", stage(stages.run));
    row("  reference", stage(stages.reference));
    row("  compare", stage(stages.compare));
    row("traced", of_all(summary.traced));
    for (choice, cases) in &summary.choices {
        row(&format!("  {choice}"), of_all(*cases));
    }
    row("bytes a module", {
        let mean = summary.bytes.checked_div(summary.executions);
        format!("{} on average", mean.unwrap_or(0))
    });
    row(
        "events a module",
        format!("{} in the median", summary.events_per_module_median()),
    );
    row(
        "executed in",
        "share of the modules, times in all".to_owned(),
    );
    for instruction in Instruction::ALL {
        let counts = summary.instruction(instruction);
        let share = of_all(counts.modules_executed);
        row(
            &format!("  {instruction}"),
            format!("{share:>9}  {}", counts.executed),
        );
    }
    row(
        "instructions",
        "executed kinds of each proposal, share of the modules with the commonest".to_owned(),
    );
    for (proposal, count) in summary.proposals() {
        if count.executed > 0 {
            let kinds = format!("{} of {}", count.executed, count.instructions);
            row(
                &format!("  {proposal}"),
                format!("{kinds:>10}  {:>9}", of_all(count.modules)),
            );
        }
    }
    if !summary.crossings.is_empty() {
        row(
            "references",
            "share of the modules where one crossed to another stack: objects, continuations"
                .to_owned(),
        );
        for way in WAYS {
            let shares = KINDS.map(|kind| format!("{:>9}", of_all(summary.crossed(way, kind))));
            row(&format!("  {way}"), shares.join(" "));
        }
    }
    if summary.linked.modules > 0 {
        let of_linked = |modules| Share(modules, summary.linked.modules).to_string();
        row("two linked modules", of_all(summary.linked.modules));
        row("  ran across", of_linked(summary.linked.ran_across));
        row("  handled across", of_linked(summary.linked.handled_across));
    }
    row(
        "calls ended",
        "share of the calls, share of the modules".to_owned(),
    );
    for (outcome, counts) in &summary.outcomes {
        let share = Share(counts.calls, summary.calls());
        let modules = of_all(counts.modules);
        row(&format!("  {outcome}"), format!("{share:>9} {modules:>9}"));
    }
    row(
        "leaves executed",
        Share(summary.leaves.executed, summary.leaves.instructions).to_string(),
    );
    row("cut by a limit", of_all(summary.cut));
    row("discarded", of_all(summary.discarded()));
    for (reason, (count, example)) in &summary.discards {
        row(
            &format!("  {reason}"),
            format!("{count}, such as: {example}"),
        );
    }
    row("digest", summary.digest().to_string());
    row(
        "findings",
        match summary.groups.len() {
            0 => "0".to_owned(),
            groups => format!("{} in {groups} groups", summary.divergences),
        },
    );
    for (signature, count) in &summary.groups {
        row(&format!("  {count} of"), signature.to_string());
        for finding in findings.iter().filter(|f| f.signature == *signature) {
            row(
                &format!("    {}", finding.path.display()),
                format!("execution {}, seed {}", finding.index + 1, finding.seed),
            );
        }
    }

    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = rows
        .iter()
        .map(|(name, value)| format!("{name:width$}  {value}\n"));
    lines.collect()
}
