//! Typed mutations of a plan and its leaves' blobs.
//!
//! All of them work on the [`Tree`] of a plan, and none knows what a plan is made of. What is put into a plan comes from a
//! *donor*, another plan: usually one that is drawn for the purpose, so that it is as likely to make sense as what the generator
//! draws; now and then the plan itself; and now and then a value of the type is drawn with no care for sense at all. Whatever
//! becomes of it, `fix_up` makes it a valid plan.

use super::grow::grow;
use super::leaf;
use super::random::Random;
use super::tree::{Place, Tree};
use crate::generate::plan::{Plan, TaskBody};
use crate::generate::{Features, Generator, PlanAndBlobs, Recipe, scenario, single};
use std::collections::{BTreeMap, BTreeSet};

/// What is done to a plan in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One number, flag or choice is changed.
    Value,
    /// Something is drawn anew, from all values of its type.
    Redraw,
    /// Something takes the place of another thing of its type.
    Graft,
    /// A list (of tasks, clauses, tags, actions, types of values…) is changed.
    List,
    /// Splices are moved, taken out, or put into a leaf.
    Splice,
    /// The blob of a leaf is changed, which makes other code of it.
    Leaf,
    /// A feature is taken out or put in.
    Features,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 7] = [
        Kind::Value,
        Kind::Redraw,
        Kind::Graft,
        Kind::List,
        Kind::Splice,
        Kind::Leaf,
        Kind::Features,
    ];

    /// Each kind with its weight among them. What the generator would not draw by itself is rarely worth much: most of it
    /// ends a call early.
    const WEIGHTS: [(usize, Kind); 7] = [
        (20, Kind::Value),
        (5, Kind::Redraw),
        (30, Kind::Graft),
        (20, Kind::List),
        (12, Kind::Splice),
        (10, Kind::Leaf),
        (3, Kind::Features),
    ];

    pub(super) fn draw(random: &mut Random) -> Kind {
        let total = Kind::WEIGHTS.iter().map(|(weight, _)| weight).sum();
        let mut at = random.below(total);
        for (weight, kind) in Kind::WEIGHTS {
            if at < weight {
                return kind;
            }
            at -= weight;
        }
        Kind::Value
    }
}

/// The name of the field under which a task carries its blob.
const BLOB: &str = "blob";

/// Where the splices of leaves are.
const SPLICES: Place = Place("Leaf", "splices");

/// The tree of a recipe.
pub(super) fn tree(recipe: &Recipe) -> Option<Tree> {
    match recipe {
        Recipe::Woven(plan, blobs) => woven_tree(plan, blobs),
        Recipe::Single(plan) => Tree::of(plan),
        Recipe::Scenario(plan) => Tree::of(plan),
    }
}

/// The recipe of a tree, valid and within the mask.
pub(super) fn recipe(
    generator: Generator,
    tree: Tree,
    mask: Features,
    random: &mut Random,
) -> Option<Recipe> {
    Some(match generator {
        Generator::Woven => {
            let (plan, blobs) = woven(tree, mask, random)?;
            Recipe::Woven(plan, blobs)
        }
        Generator::Single => {
            let mut plan: single::Plan = grow(tree, random)?;
            plan.fix_up(&mask);
            Recipe::Single(plan)
        }
        Generator::Scenario => {
            let mut plan: scenario::Plan = grow(tree, random)?;
            plan.fix_up(&mask);
            Recipe::Scenario(plan)
        }
    })
}

/// The tree of a plan, in which each task carries the blob of its leaf, so that the two stay together.
fn woven_tree(plan: &Plan, blobs: &[Vec<u8>]) -> Option<Tree> {
    let mut tree = Tree::of(plan)?;
    let mut blobs = blobs.iter();
    let Some(Tree::List(tasks)) = tree.field_mut("tasks") else {
        return None;
    };
    for (tree, task) in tasks.iter_mut().zip(&plan.tasks) {
        let blob = match task.body {
            TaskBody::Woven(_) => blobs.next().cloned().unwrap_or_default(),
            _ => Vec::new(),
        };
        if let Tree::Struct(_, fields) = tree {
            fields.push((BLOB, Tree::Blob(blob)));
        }
    }
    Some(tree)
}

/// The plan of a tree, valid and within the mask, and the blobs. A leaf that has none gets one.
fn woven(mut tree: Tree, mask: Features, random: &mut Random) -> Option<PlanAndBlobs> {
    let Some(Tree::List(tasks)) = tree.field_mut("tasks") else {
        return None;
    };
    let take = |task: &mut Tree| match task {
        Tree::Struct(_, fields) => match fields.pop() {
            Some((BLOB, Tree::Blob(blob))) => blob,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    let mut blobs: Vec<Vec<u8>> = tasks.iter_mut().map(take).collect();
    let mut plan: Plan = grow(tree, random)?;
    plan.features = plan.features.and(mask);
    // Fixing takes tasks from the end and adds them there, and may make something else of a leaf.
    plan.fix_up();
    blobs.resize(plan.tasks.len(), Vec::new());
    let of_leaves = plan.tasks.iter().zip(blobs);
    let of_leaves = of_leaves.filter(|(task, _)| matches!(task.body, TaskBody::Woven(_)));
    let blobs = of_leaves.map(|(_, blob)| match blob.is_empty() {
        true => leaf::fresh(random),
        false => blob,
    });
    let blobs = blobs.collect();
    Some((plan, blobs))
}

/// Mutates a plan in one step; says whether it found something to do.
pub(super) fn mutate(
    tree: &mut Tree,
    kind: Kind,
    donor: &Tree,
    mask: Features,
    random: &mut Random,
) -> bool {
    let done = match kind {
        Kind::Value => value(tree, random),
        Kind::Redraw => named(tree, random, |_| true).map(|(_, node)| redraw(node)),
        Kind::Graft => graft(tree, donor, random),
        Kind::List => list(tree, donor, random),
        Kind::Splice => splice(tree, donor, random),
        Kind::Leaf => blob(tree, donor, random),
        Kind::Features => feature(tree, mask, random),
    };
    done.is_some()
}

/// Leaves a node to be drawn. A structure keeps its blob.
fn redraw(node: &mut Tree) {
    match node {
        Tree::Struct(_, fields) => {
            let fields = fields.iter_mut().map(|(_, tree)| tree);
            let own = fields.filter(|tree| !matches!(tree, Tree::Blob(_)));
            own.for_each(|tree| *tree = Tree::Any);
        }
        other => *other = Tree::Any,
    }
}

/// A node that has a name among those that `fits`: every name is as likely as every other, however many have it. Never the root.
fn named<'t>(
    tree: &'t mut Tree,
    random: &mut Random,
    fits: impl Fn(&str) -> bool,
) -> Option<(&'static str, &'t mut Tree)> {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    tree.visit(Place::ROOT, &mut |place, node| {
        if let Some(name) = node.name()
            && place != Place::ROOT
            && fits(name)
        {
            *counts.entry(name).or_default() += 1;
        }
    });
    let names: Vec<_> = counts.into_iter().collect();
    let &(name, count) = random.choose(&names)?;
    let node = tree.nth_mut(random.below(count), &|_, node| node.name() == Some(name))?;
    Some((name, node))
}

/// A copy of one of the trees of which `fits` is true.
fn copy(tree: &Tree, random: &mut Random, fits: impl Fn(Place, &Tree) -> bool) -> Option<Tree> {
    let mut found = Vec::new();
    tree.visit(Place::ROOT, &mut |place, node| {
        if fits(place, node) {
            found.push(node);
        }
    });
    random.choose(&found).map(|node| (*node).clone())
}

fn value(tree: &mut Tree, random: &mut Random) -> Option<()> {
    let node = match random.chance(5) {
        true => tree,
        false => named(tree, random, |_| true)?.1,
    };
    let mut parts: Vec<&mut Tree> = match node {
        Tree::Struct(_, fields) => fields.iter_mut().map(|(_, tree)| tree).collect(),
        Tree::Variant { parts, .. } => parts.iter_mut().collect(),
        _ => return None,
    };
    parts.retain(|tree| matches!(tree, Tree::Bool(_) | Tree::Byte(_) | Tree::Option(_)));
    if parts.is_empty() {
        // A choice without a number is made again, a structure without one is left.
        if let Tree::Variant { .. } = node {
            *node = Tree::Any;
            return Some(());
        }
        return None;
    }
    let at = random.below(parts.len());
    match parts.swap_remove(at) {
        Tree::Bool(flag) => *flag = !*flag,
        Tree::Byte(byte) => *byte = number(*byte, random),
        other => *other = Tree::Any,
    }
    Some(())
}

fn number(byte: u8, random: &mut Random) -> u8 {
    match random.below(6) {
        0 => byte.wrapping_add(1),
        1 => byte.wrapping_sub(1),
        2 | 3 => random.below(8) as u8,
        4 => byte ^ 1 << random.below(8),
        _ => random.byte(),
    }
}

fn graft(tree: &mut Tree, donor: &Tree, random: &mut Random) -> Option<()> {
    let names = {
        let mut names = BTreeSet::new();
        donor.visit(Place::ROOT, &mut |_, node| names.extend(node.name()));
        names
    };
    let (name, node) = named(tree, random, |name| names.contains(name))?;
    *node = copy(donor, random, |_, other| other.name() == Some(name))?;
    Some(())
}

/// Longest list that stretching makes: more than any engine passes in registers.
const STRETCHED: usize = 120;

fn list(tree: &mut Tree, donor: &Tree, random: &mut Random) -> Option<()> {
    let mut counts: BTreeMap<Place, usize> = BTreeMap::new();
    tree.visit(Place::ROOT, &mut |place, node| {
        if let Tree::List(_) = node {
            *counts.entry(place).or_default() += 1;
        }
    });
    let places: Vec<_> = counts.into_iter().collect();
    let &(place, count) = random.choose(&places)?;
    let is_it = move |at: Place, node: &Tree| at == place && matches!(node, Tree::List(_));
    let node = tree.nth_mut(random.below(count), &is_it)?;
    let Tree::List(items) = node else {
        return None;
    };
    let donated = match copy(donor, random, is_it) {
        Some(Tree::List(items)) => items,
        _ => Vec::new(),
    };
    let length = items.len();
    match random.below(8) {
        0 if length > 0 => drop(items.remove(random.below(length))),
        1 if length > 0 => {
            let copy = items[random.below(length)].clone();
            items.insert(random.below(length + 1), copy);
        }
        2 if length > 1 => items.swap(random.below(length), random.below(length)),
        3 if length > 1 => items.rotate_left(1 + random.below(length - 1)),
        // As wide as to need the stack; only what is small, such as types.
        4 if length > 0 && matches!(items[0], Tree::Variant { .. }) => {
            let at = random.below(length);
            let most = if random.chance(50) { 12 } else { STRETCHED };
            let times = 1 + random.below(most);
            let copies = vec![items[at].clone(); times];
            items.splice(at..at, copies);
        }
        5 if !donated.is_empty() => *items = donated,
        6 => items.insert(random.below(length + 1), Tree::Any),
        _ => {
            let item = random.choose(&donated).cloned().unwrap_or(Tree::Any);
            items.insert(random.below(length + 1), item);
        }
    }
    Some(())
}

fn splice(tree: &mut Tree, donor: &Tree, random: &mut Random) -> Option<()> {
    let is_it = |place: Place, node: &Tree| place == SPLICES && matches!(node, Tree::List(_));
    // From a leaf of this plan it is the same actions at another place.
    let own = random.chance(30);
    let source = if own { &*tree } else { donor };
    let donated = copy(source, random, |place, node| {
        place == SPLICES && !is_it(place, node)
    });
    let mut leaves = 0;
    tree.visit(Place::ROOT, &mut |place, node| {
        leaves += usize::from(is_it(place, node));
    });
    if leaves == 0 {
        return None;
    }
    let Some(Tree::List(splices)) = tree.nth_mut(random.below(leaves), &is_it) else {
        return None;
    };
    let length = splices.len();
    match random.below(4) {
        0 if length > 0 => drop(splices.remove(random.below(length))),
        1 if length > 0 => *splices[random.below(length)].field_mut("point")? = Tree::Any,
        _ => splices.insert(random.below(length + 1), donated?),
    }
    Some(())
}

fn blob(tree: &mut Tree, donor: &Tree, random: &mut Random) -> Option<()> {
    let has_bytes = |_: Place, node: &Tree| matches!(node, Tree::Blob(bytes) if !bytes.is_empty());
    let mut leaves = 0;
    tree.visit(Place::ROOT, &mut |place, node| {
        leaves += usize::from(has_bytes(place, node));
    });
    let donated = match copy(donor, random, has_bytes) {
        Some(Tree::Blob(bytes)) => bytes,
        _ => Vec::new(),
    };
    if leaves == 0 {
        return None;
    }
    let Some(Tree::Blob(bytes)) = tree.nth_mut(random.below(leaves), &has_bytes) else {
        return None;
    };
    leaf::mutate(bytes, &donated, random);
    Some(())
}

fn feature(tree: &mut Tree, mask: Features, random: &mut Random) -> Option<()> {
    let Some(Tree::Word(word)) = tree.field_mut("features") else {
        return None;
    };
    let features = Features::from(*word);
    // Without these there is nothing to test.
    let needed = ["stack_switching", "exceptions"];
    let mut names = mask.names();
    names.retain(|name| !needed.contains(name));
    let feature = Features::named(random.choose(&names)?)?;
    *word = u64::from(match features.and(feature) == feature {
        true => features.except(feature),
        false => features.or(feature),
    });
    Some(())
}
