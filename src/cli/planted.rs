//! `switchback planted`: how many executions each planted bug takes to be found.

mod made;

use self::made::Made;
use super::isolate::Isolated;
use super::lineup::{Lineup, Mask};
use super::{Finding, output};
use anyhow::{Context, anyhow, bail};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use switchback::engines::{self, Planted, Settings};
use switchback::fuzzing::{Found, Limits, Lost, Progress, Strategy, Summary, campaign, case_seed};
use switchback::generate::Scope;

/// Measure how many executions it takes to find each planted bug.
///
/// For each bug and each of the seeds 1, 2, 3, … a campaign as `fuzz` runs it, without mutants, until the first finding. A bug
/// that only makes an engine reach a limit of its own too soon is no difference; it counts as noticed, by the mark `limit`, when
/// ten cases, and one in a hundred, are cut by a limit; without a bug hardly any is. Exit status 1 if a bug was not noticed, or no
/// test was made of it although --regress asks for one.
#[derive(Args)]
pub struct Arguments {
    /// The bugs; all of them if not given.
    #[arg(value_name = "BUG")]
    bugs: Vec<String>,
    /// How many campaigns each bug gets.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100))]
    seeds: u64,
    /// The executions after which a campaign gives up.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    execs: u64,
    /// How many cases run at the same time.
    #[arg(long, value_name = "J", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: u16,
    /// Count a case that takes more processor time than this, or ten times as long, as a hang.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = super::positive_duration)]
    timeout: Duration,
    /// Make a test of the first finding that its module alone shows, in a temporary folder: `reduce`, then `regress`, and see that
    /// the script passes without the bug.
    #[arg(long)]
    regress: bool,
    /// With --regress: stop a reduction after this time.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    time: Duration,
    /// Write the rows into the table of this Markdown file, after its line `<!-- switchback planted -->`; with --regress, also into
    /// the one after `<!-- switchback planted --regress -->`, and into that alone if the first has rows of another number of seeds.
    /// Rows of other bugs stay.
    #[arg(long, value_name = "FILE")]
    update: Option<PathBuf>,
    #[command(flatten)]
    lineup: Lineup,
    #[command(flatten)]
    mask: Mask,
    /// Write the campaigns as JSON at the end.
    #[arg(long, conflicts_with = "update")]
    json: bool,
}

/// What the campaigns of one bug showed.
#[derive(Serialize)]
struct Row {
    bug: &'static str,
    classes: &'static [u8],
    campaigns: Vec<Campaign>,
    /// With --regress: the test that was made, or why there is none.
    #[serde(flatten, serialize_with = "made::serialize")]
    test: Option<Result<Made, String>>,
}

/// How one campaign ended.
#[derive(Serialize)]
struct Campaign {
    seed: u64,
    /// How many executions were made.
    executions: u64,
    noticed: Noticed,
    /// The seed of the case that showed it first.
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<u64>,
}

/// How a bug was noticed.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Noticed {
    /// By a finding.
    Found,
    /// By cases that were cut by a limit.
    Limit,
    /// Not at all.
    Not,
}

pub fn main(arguments: Arguments) -> anyhow::Result<Finding> {
    if arguments.lineup.plant.is_some() {
        bail!("the bugs are given without --plant");
    }
    let bugs = chosen(&arguments.bugs)?;
    let fits = match (&arguments.update, bugs.first()) {
        (Some(file), Some(bug)) => check(file, bug.name, arguments.seeds, arguments.regress)?,
        _ => false,
    };
    let mut rows = Vec::new();
    for bug in bugs {
        let lineup = Lineup {
            plant: Some(bug.name.to_owned()),
            ..arguments.lineup.clone()
        };
        // A setting that does not fit is told here, before any worker starts.
        let scope = arguments.mask.runner(&lineup)?.scope();
        let mut findings = made::Findings::new(&arguments, &lineup, scope);
        let campaigns = (1..=arguments.seeds)
            .map(|seed| run(&arguments, &lineup, scope, seed, &mut findings))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let row = Row {
            bug: bug.name,
            classes: bug.classes,
            campaigns,
            test: arguments.regress.then(|| findings.test()),
        };
        // One by one: all of them take long, and what is there already is worth keeping.
        if let Some(file) = &arguments.update {
            if fits {
                let heading = heading(1..=arguments.seeds);
                update(file, MARK, row.bug, &heading, &row.markdown())?;
            }
            if let Some(test) = &row.test {
                let (mark, heading) = (made::MARK, made::HEADING);
                update(file, mark, row.bug, heading, &made::markdown(row.bug, test))?;
            }
        }
        if !arguments.json {
            output::text(&row.markdown())?;
            if let Some(test) = &row.test {
                output::text(&made::markdown(row.bug, test))?;
            }
        }
        if let Some(Err(reason)) = &row.test {
            anstream::eprintln!("{}: no test: {reason}", row.bug);
        }
        rows.push(row);
    }
    let untested = rows
        .iter()
        .filter(|row| matches!(row.test, Some(Err(_))))
        .count();
    let missed = rows.iter().flat_map(|row| &row.campaigns);
    let missed = missed.filter(|campaign| campaign.noticed == Noticed::Not);
    if arguments.json {
        output::json(&rows)?;
    }
    Ok(match missed.count() + untested {
        0 => Finding::Nothing,
        _ => Finding::Something,
    })
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<Planted>> {
    let all = engines::planted();
    if all.is_empty() {
        bail!("this build has no planted bugs");
    }
    for name in names {
        // For the message, which lists them.
        let plant = Some(name.clone());
        let (engine, _) = all[0];
        engines::create(
            engine,
            &Settings {
                plant,
                ..Settings::default()
            },
        )?;
    }
    let wanted = |bug: &Planted| names.is_empty() || names.iter().any(|name| name == bug.name);
    Ok(all.into_iter().map(|(_, bug)| bug).filter(wanted).collect())
}

/// Whether so many cases are cut by a limit that somebody would look into it.
fn cuts(summary: &Summary) -> bool {
    summary.cut >= 10 && summary.cut * 100 >= summary.executions
}

/// Watches one campaign.
struct Watch<'a> {
    seed: u64,
    stop: &'a AtomicBool,
    first_cut: Option<u64>,
    found: Option<(u64, u64)>,
    findings: &'a mut made::Findings,
}

impl Progress for Watch<'_> {
    fn executed(&mut self, summary: &Summary) {
        if summary.cut > 0 && self.first_cut.is_none() {
            self.first_cut = Some(summary.executions);
        }
        if cuts(summary) {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn found(&mut self, found: &Found<'_>) -> Result<(), Lost> {
        self.found
            .get_or_insert((found.index + 1, found.origin.seed()));
        if self.findings.suffice(found) {
            self.stop.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn run(
    arguments: &Arguments,
    lineup: &Lineup,
    scope: Scope,
    seed: u64,
    findings: &mut made::Findings,
) -> anyhow::Result<Campaign> {
    let limits = Limits {
        executions: Some(arguments.execs),
        time: None,
        findings: None,
    };
    let executors = (0..arguments.jobs)
        .map(|_| Isolated::new(lineup, &arguments.mask, arguments.timeout))
        .collect();
    let stop = AtomicBool::new(false);
    let mut watch = Watch {
        seed,
        stop: &stop,
        first_cut: None,
        found: None,
        findings,
    };
    // No mutants, so that a seed alone is a case.
    let strategy = Strategy::generate(scope);
    let summary = campaign(seed, limits, &strategy, executors, &stop, &mut watch);
    let summary = summary.map_err(|lost| anyhow!("{lost}"))?;
    let (noticed, executions, case) = match (watch.found, watch.first_cut) {
        (Some((executions, case)), _) => (Noticed::Found, executions, Some(case)),
        (None, Some(first)) if cuts(&summary) => (
            Noticed::Limit,
            first,
            Some(case_seed(watch.seed, first - 1)),
        ),
        _ => (Noticed::Not, summary.executions, None),
    };
    Ok(Campaign {
        seed,
        executions,
        noticed,
        case,
    })
}

/// The heading of the table, for rows with these seeds.
fn heading(seeds: RangeInclusive<u64>) -> String {
    let seeds: String = seeds.map(|seed| format!(" seed {seed} |")).collect();
    format!("| bug | classes |{seeds} median | a case |")
}

impl Row {
    /// The row of the table: the bug, its classes, executions by seed, their median (the mean of the two in the middle if there are
    /// two), and the seed of a case that shows it.
    fn markdown(&self) -> String {
        let mut classes: Vec<String> = self.classes.iter().map(u8::to_string).collect();
        if classes.is_empty() {
            classes.push("–".to_owned());
        }
        let mut row = format!("| {} | {} |", self.bug, classes.join(", "));
        for campaign in &self.campaigns {
            let executions = campaign.executions;
            let cell = match campaign.noticed {
                Noticed::Found => executions.to_string(),
                Noticed::Limit => format!("{executions} limit"),
                Noticed::Not => format!("> {executions}"),
            };
            let _ = write!(row, " {cell} |");
        }
        let mut sorted: Vec<&Campaign> = self.campaigns.iter().collect();
        sorted.sort_by_key(|campaign| (campaign.noticed == Noticed::Not, campaign.executions));
        // The same one twice, if their number is odd.
        let middle = [sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]];
        let sum: u64 = middle.iter().map(|campaign| campaign.executions).sum();
        let half = if sum.is_multiple_of(2) { "" } else { ".5" };
        let missed = |campaign: &&Campaign| campaign.noticed == Noticed::Not;
        let more = if middle.iter().any(missed) { "> " } else { "" };
        let case = sorted[0]
            .case
            .map_or(String::new(), |case| case.to_string());
        let _ = writeln!(row, " {more}{}{half} | {case} |", sum / 2);
        row
    }
}

/// The line in front of the table.
const MARK: &str = "<!-- switchback planted -->";

/// A table in a Markdown file, after a mark.
struct Table<'t> {
    before: &'t str,
    /// The rows by their bugs, without the heading.
    rows: BTreeMap<&'t str, &'t str>,
    after: Vec<&'t str>,
}

impl<'t> Table<'t> {
    fn read(text: &'t str, mark: &str) -> anyhow::Result<Table<'t>> {
        let (before, rest) = text
            .split_once(mark)
            .with_context(|| format!("there is no line {mark}"))?;
        let lines: Vec<&str> = rest.trim_start().lines().collect();
        let end = lines.iter().position(|line| !line.starts_with('|'));
        let (table, after) = lines.split_at(end.unwrap_or(lines.len()));
        let of = |line: &'t str| line.split('|').nth(1).unwrap_or_default().trim();
        Ok(Table {
            before,
            rows: table.iter().skip(2).map(|line| (of(line), *line)).collect(),
            after: after
                .iter()
                .copied()
                .skip_while(|line| line.is_empty())
                .collect(),
        })
    }

    /// Why a row of this bug has no place in the table with this heading: other rows have other columns.
    fn misfit(&self, bug: &str, heading: &str) -> Option<String> {
        let mut others = self.rows.iter().filter(|(other, _)| **other != bug);
        let (other, _) = others.find(|(_, row)| cells(row) != cells(heading))?;
        let columns = cells(heading) - 1;
        Some(format!(
            "the row of {other} has not the {columns} columns of that of {bug}"
        ))
    }
}

/// The number of lines between the cells of a row, one more than it has columns.
fn cells(row: &str) -> usize {
    row.matches('|').count()
}

/// Whether the table of campaigns in a file can take the rows of so many seeds, `bug`'s first. With `regress` it may stay as it is,
/// and that of tests has to take its rows.
///
/// # Errors
///
/// That there is no such table, or one with other columns. Campaigns take long, so this is told before any.
fn check(file: &Path, bug: &str, seeds: u64, regress: bool) -> anyhow::Result<bool> {
    let name = || file.display().to_string();
    let text = fs::read_to_string(file).with_context(name)?;
    let table = |mark| Table::read(&text, mark).with_context(name);
    // Once the first row has its place, the others have theirs.
    let misfit = table(MARK)?.misfit(bug, &heading(1..=seeds));
    if regress {
        if let Some(misfit) = table(made::MARK)?.misfit(bug, made::HEADING) {
            bail!("{}: {misfit}", name());
        }
        if let Some(misfit) = &misfit {
            anstream::eprintln!("{}: only the tests' table is written: {misfit}", name());
        }
    } else if let Some(misfit) = misfit {
        bail!("{}: {misfit}", name());
    }
    Ok(misfit.is_none())
}

/// Puts the row of a bug into the table after a mark in a file, in the order of the bugs.
fn update(file: &Path, mark: &str, bug: &str, heading: &str, row: &str) -> anyhow::Result<()> {
    let name = || file.display().to_string();
    let text = fs::read_to_string(file).with_context(name)?;
    let mut table = Table::read(&text, mark).with_context(name)?;
    if let Some(misfit) = table.misfit(bug, heading) {
        bail!("{}: {misfit}", name());
    }
    table.rows.insert(bug, row.trim_end());
    let rule = "---|".repeat(cells(heading) - 1);
    let mut out = format!("{}{mark}\n\n{heading}\n|{rule}\n", table.before);
    // Those that are no more go.
    for (_, bug) in engines::planted() {
        if let Some(row) = table.rows.get(bug.name) {
            let _ = writeln!(out, "{row}");
        }
    }
    if !table.after.is_empty() {
        out.push('\n');
    }
    for line in table.after {
        let _ = writeln!(out, "{line}");
    }
    fs::write(file, out).with_context(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(bug: &'static str, executions: &[u64]) -> Row {
        let campaign = |(seed, &executions): (u64, &u64)| Campaign {
            seed,
            executions,
            noticed: Noticed::Found,
            case: Some(100 + seed),
        };
        Row {
            bug,
            classes: &[3],
            campaigns: (1..).zip(executions).map(campaign).collect(),
            test: None,
        }
    }

    fn update(file: &Path, row: &Row) -> anyhow::Result<()> {
        let heading = heading(1..=row.campaigns.len() as u64);
        super::update(file, MARK, row.bug, &heading, &row.markdown())
    }

    #[test]
    fn the_median_is_the_mean_of_the_two_in_the_middle() {
        let bug = "carry-lost";
        let ends = |row: &Row, end: &str| {
            let markdown = row.markdown();
            assert!(markdown.ends_with(end), "{markdown}");
        };
        ends(&row(bug, &[9]), " | 9 | 101 |\n");
        ends(&row(bug, &[30, 1, 20]), " | 20 | 102 |\n");
        ends(&row(bug, &[30, 1, 20, 4]), " | 12 | 102 |\n");
        ends(&row(bug, &[30, 1, 21, 4]), " | 12.5 | 102 |\n");
        // Campaigns that did not notice the bug are behind all others, however short they were.
        let mut missed = row(bug, &[7, 5, 5, 2]);
        for campaign in &mut missed.campaigns[1..3] {
            campaign.noticed = Noticed::Not;
        }
        ends(&missed, " | > 6 | 104 |\n");
        missed.campaigns[1].noticed = Noticed::Limit;
        ends(&missed, " | 6 | 104 |\n");
    }

    #[test]
    fn rows_are_put_in_their_place_and_the_rest_stays() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("page.md");
        fs::write(&file, format!("# Head\n\n{MARK}\n\nTail.\n")).unwrap();
        let bugs: Vec<_> = engines::planted().iter().map(|(_, bug)| bug.name).collect();
        update(&file, &row(bugs[1], &[30, 10, 20])).unwrap();
        update(&file, &row(bugs[0], &[7, 7, 1])).unwrap();
        update(&file, &row(bugs[1], &[3, 1, 2])).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let expected = format!(
            "# Head\n\n{MARK}\n\n| bug | classes | seed 1 | seed 2 | seed 3 | median | a case |\n\
             |---|---|---|---|---|---|---|\n\
             | {} | 3 | 7 | 7 | 1 | 7 | 103 |\n\
             | {} | 3 | 3 | 1 | 2 | 2 | 102 |\n\nTail.\n",
            bugs[0], bugs[1]
        );
        assert_eq!(text, expected);
        let error = update(&file, &row(bugs[1], &[1])).unwrap_err();
        assert!(error.to_string().contains(bugs[0]), "{error}");
        assert!(check(&file, bugs[1], 3, false).unwrap());
        assert!(check(&file, bugs[1], 1, false).is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), expected);
    }
}
