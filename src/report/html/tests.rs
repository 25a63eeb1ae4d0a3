//! Pages of every kind of finding, built by hand from runs on the reference, and
//! looked at in a browser where there is one.

use super::*;
use crate::compare::{Verdict, compare};
use crate::engines::{self, Settings};
use crate::observe::stacks::lives;
use crate::observe::{Event, EventKind, Outcome, TrapKind, Value, observe};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A module whose `run` resumes a continuation `n` times, each time until its next
/// suspension; three continuations deep.
fn module(n: u32) -> Vec<u8> {
    let text = format!(
        r#"(module
        (type $f (func)) (type $k (cont $f))
        (tag $t) (tag $u (param i32))
        (global $count (mut i32) (i32.const 0))
        (memory 1) (table 2 funcref)
        (func $"inner <b>&amp; \u{{202e}}name" (loop $l (suspend $t) (br $l)))
        (func $outer (resume $k (cont.new $k (ref.func $"inner <b>&amp; \u{{202e}}name"))))
        (elem declare func $"inner <b>&amp; \u{{202e}}name" $outer)
        (func $run (export "run <script>alert(1)</script> {long}") (result i32)
          (local $k (ref null $k))
          (local.set $k (cont.new $k (ref.func $outer)))
          (loop $l
            (local.set $k (block $h (result (ref $k))
              (resume $k (on $t $h) (local.get $k))
              (return (i32.const -1))))
            (global.set $count (i32.add (global.get $count) (i32.const 1)))
            (br_if $l (i32.lt_u (global.get $count) (i32.const {n}))))
          (global.get $count))
        (func (export "again") (unreachable)))"#,
        long = "long_name_".repeat(30)
    );
    wat::parse_str(text).unwrap()
}

/// What the reference shows, for both sides; the left one then changed.
fn sides(wasm: &[u8], change: impl FnOnce(&mut Observation)) -> (Observation, Observation) {
    let settings = Settings {
        trace: true,
        ..Settings::default()
    };
    let (reference, _) = engines::split_reference(&engines::names()).unwrap();
    let engine = engines::create(reference.name, &settings).unwrap();
    let right = observe(engine.as_ref(), wasm);
    let mut left = right.clone();
    left.engine = "compiled".to_owned();
    change(&mut left);
    (left, right)
}

fn page(wasm: &[u8], left: &Observation, right: &Observation) -> String {
    let Verdict::Diverge(found) = compare(left, right) else {
        panic!("no divergence")
    };
    let command = Some("switchback diff 'a & <b>.wasm'".to_owned());
    let report = Report::new(wasm, left, right, &found, command);
    divergence(&report, "a & <b>.wasm", wasm, left, right)
}

/// A page and the number of arrows that its picture must have.
struct Case {
    name: &'static str,
    page: String,
    arrows: usize,
}

/// Arrows of the part of a trace that is drawn.
fn arrows(trace: &[Event]) -> usize {
    let lives = lives(trace, &[0..0, 0..trace.len()]);
    lives
        .steps
        .iter()
        .filter(|step| step.arrow.is_some())
        .count()
}

fn event_differs(name: &'static str, n: u32, at: usize) -> Case {
    let wasm = module(n);
    let (left, right) = sides(&wasm, |left| {
        let trace = left.trace.as_mut().unwrap();
        let EventKind::Suspend { distance, .. } = &mut trace[at].kind else {
            panic!("event {at} is no suspension: {:?}", trace[at])
        };
        *distance = 0;
    });
    let (l, r) = (left.trace.as_ref().unwrap(), right.trace.as_ref().unwrap());
    // Once up to the parting, and each side's rest.
    let arrows = arrows(r) + arrows(l) - arrows(&l[..at]);
    Case {
        name,
        page: page(&wasm, &left, &right),
        arrows,
    }
}

fn cases() -> Vec<Case> {
    let wasm = module(5);
    let mut cases = vec![
        event_differs("event-10", 5, 8),
        event_differs("event-1000", 500, 938),
    ];
    let mut other = |name, change: &dyn Fn(&mut Observation)| {
        let (left, right) = sides(&wasm, change);
        let shown = right
            .trace
            .as_deref()
            .or(left.trace.as_deref())
            .unwrap_or_default();
        cases.push(Case {
            name,
            arrows: arrows(shown),
            page: page(&wasm, &left, &right),
        });
    };
    other("outcome", &|left| {
        left.calls[0].outcome = Outcome::Trapped {
            trap: TrapKind::IntegerOverflow,
            at: None,
        };
    });
    other("state", &|left| {
        let state = left.state.as_mut().unwrap();
        state.globals[0] = Value::I32(77);
        state.memories[0] = crate::observe::Memory::new(1, &[1; 100]);
    });
    other("untraced", &|left| {
        left.trace = None;
        for call in &mut left.calls {
            call.events = 0..0;
        }
        left.calls[0].outcome = Outcome::Suspended { tag: Some(0) };
    });
    let (left, right) = sides(&wasm, |left| {
        left.instantiation = Outcome::Rejected {
            message: "type mismatch: <expected> \"x\" & 'y'".to_owned(),
            offset: Some(17),
        };
        left.calls.clear();
        left.trace = Some(Vec::new());
        left.state = None;
    });
    cases.push(Case {
        name: "instantiation",
        // All are on the right, after the parting.
        arrows: arrows(right.trace.as_ref().unwrap()),
        page: page(&wasm, &left, &right),
    });
    let engines = ["compiled".to_owned()];
    let how = Lost {
        kind: "crash",
        engines: &engines,
        how: "the process ended with signal: 11 (SIGSEGV)\nthread 'main' <panicked>",
        reproduce: "switchback diff x.wasm",
    };
    cases.push(Case {
        name: "crash",
        arrows: arrows(right.trace.as_ref().unwrap()),
        page: lost(how, "x.wasm", &wasm, Some(&right)),
    });
    cases.push(Case {
        name: "crash-of-all",
        arrows: 0,
        page: lost(how, "x.wasm", b"no module", None),
    });
    cases
}

#[test]
fn everything_is_escaped_and_nothing_is_loaded() {
    for case in cases() {
        let Case { name, page, .. } = case;
        for bad in ["alert(1)</script>", "<b>", "<panicked>", "<expected>"] {
            assert!(!page.contains(bad), "{name}: {bad} is not escaped");
        }
        for bad in ["http://", "https://", "src=", "<link", "@import", "url("] {
            assert!(!page.contains(bad), "{name}: loads something: {bad}");
        }
        assert_eq!(page.matches("<script>").count(), 1, "{name}");
    }
}

#[test]
fn the_picture_has_an_arrow_for_each_hand_over() {
    for Case { name, page, arrows } in cases() {
        assert_eq!(page.matches("class=\"arrow ").count(), arrows, "{name}");
    }
}

#[test]
fn the_page_has_what_the_text_has() {
    let case = event_differs("event", 5, 8);
    for part in [
        "divergence event/Suspend.distance",
        "in call 0",
        "switchback diff 'a &amp; &lt;b&gt;.wasm'",
        "compiled: the sides part here",
        "oracle: the sides part here",
        "suspend $t",
    ] {
        assert!(case.page.contains(part), "{part} is not in the page");
    }
    assert_eq!(
        case.page.matches("data-first").count(),
        3 + 1,
        "one a box, and the script"
    );
}

/// A browser, if there is one.
fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut found = std::env::split_paths(&path).flat_map(|dir| names.map(|name| dir.join(name)));
    found.find(|file| file.is_file())
}

/// What a script in the page finds, at a width of 400 pixels. The page is put in
/// a frame, since browsers have a least width for windows.
const PROBE: &str = r#"<script>
addEventListener("load", () => {
  const seen = {};
  seen.overflow = document.documentElement.scrollWidth - innerWidth;
  seen.width = innerWidth;
  seen.outside = [...document.querySelectorAll("[data-first]")].filter(first => {
    const box = first.closest(".box").getBoundingClientRect();
    const at = first.getBoundingClientRect();
    return at.top < box.top - 1 || at.bottom > box.bottom + 1;
  }).length;
  seen.arrows = document.querySelectorAll("svg .arrow").length;
  seen.sections = document.querySelectorAll("section").length;
  seen.unlabelled = document.querySelectorAll("section .box:not([tabindex])").length;
  parent.document.body.textContent = "PROBE" + JSON.stringify(seen) + "EBORP";
});
</script></body>"#;

#[test]
fn a_browser_shows_it_without_overflow_and_with_the_first_difference_in_view() {
    let Some(chromium) = chromium() else {
        eprintln!("skipped: there is no Chromium on the path");
        return;
    };
    for Case { name, page, arrows } in cases() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("page.html"),
            page.replace("</body>", PROBE),
        )
        .unwrap();
        let outer = folder.path().join("outer.html");
        let frame = r#"<body><iframe src="page.html" width="400" height="900" style="border:0"></iframe></body>"#;
        fs::write(&outer, frame).unwrap();
        let output = Command::new(&chromium)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
            ])
            .args(["--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync"])
            .args([
                "--allow-file-access-from-files",
                "--virtual-time-budget=5000",
                "--dump-dom",
            ])
            .arg(format!(
                "--user-data-dir={}",
                folder.path().join("profile").display()
            ))
            .arg(format!("file://{}", outer.display()))
            .output()
            .unwrap();
        let dom = String::from_utf8_lossy(&output.stdout);
        let seen = dom
            .split_once("PROBE")
            .and_then(|(_, rest)| rest.split_once("EBORP"));
        let Some((seen, _)) = seen else {
            panic!(
                "{name}: no answer of the page in {dom}\n{}",
                String::from_utf8_lossy(&output.stderr)
            )
        };
        let seen: serde_json::Value = serde_json::from_str(seen).unwrap();
        assert_eq!(seen["width"], 400, "{name}: {seen}");
        assert!(seen["overflow"].as_i64().unwrap() <= 0, "{name}: {seen}");
        assert_eq!(
            seen["outside"], 0,
            "{name}: a first difference is out of view: {seen}"
        );
        assert_eq!(seen["unlabelled"], 0, "{name}: {seen}");
        assert_eq!(seen["arrows"], arrows, "{name}: {seen}");
    }
}
