//! Makes any plan valid: a total function from values of the plan's types to plans that compile to valid modules.
//!
//! Rules that hold afterwards: every index is in range and of the right kind, every tag stands only where its type allows,
//! sizes are bounded, what a feature mask excludes is gone. A valid plan is left as it is, so fixing twice changes nothing.
//! Whether a plan is *interesting* (whether tags are handled, whether anything is executed) is not decided here.

use super::plan::*;

mod action;

/// Longest list of values in a type, except for a task's prefix.
const MAX_VALUES: usize = 120;
/// Longest prefix of a task; the specification's implementation limit for parameters is 1,000.
const MAX_PREFIX: usize = 640;
/// Most tags and tasks that a plan brings along; fixing adds up to [`SPARE`] where a kind is missing.
const MAX_TAGS: usize = 12;
const MAX_TASKS: usize = 12;
/// One throwable and one suspendable tag and a switch tag for each of three families; a task for each of them.
const SPARE: usize = 5;

impl Plan {
    /// Makes the plan valid, changing as little as possible. Idempotent.
    pub fn fix_up(&mut self) {
        self.fix_families();
        self.fix_tags();
        self.logs.truncate(4);
        for log in &mut self.logs {
            fix_types(&mut log.params, &self.features, 0, MAX_VALUES);
            fix_types(&mut log.results, &self.features, 0, MAX_VALUES);
        }
        self.callbacks.truncate(4);
        self.fix_tasks();
        self.fix_drivers();
        self.calls.truncate(8);
        self.start = self
            .start
            .filter(|_| !self.callbacks.is_empty())
            .map(|start| start % self.callbacks.len() as u8);
        self.fuel = self.fuel.clamp(1, 120);
        self.fix_actions();
    }

    fn fix_families(&mut self) {
        self.families.truncate(3);
        if self.families.is_empty() {
            self.families.push(Family {
                params: Vec::new(),
                results: Vec::new(),
                symmetric: false,
                switch_values: Vec::new(),
                switch_tag: 0,
                open: false,
            });
        }
        let count = self.families.len() as u8;
        for family in &mut self.families {
            fix_types(&mut family.params, &self.features, count, MAX_VALUES);
            fix_types(&mut family.results, &self.features, count, MAX_VALUES);
            if family.symmetric {
                family.switch_values.clear();
            }
            fix_types(&mut family.switch_values, &self.features, count, MAX_VALUES);
            family.open &= self.features.subtyping;
        }
        self.types.grouped &= self.features.subtyping;
        if !self.features.late_switch_types {
            // The families' types are the first group, then, whether or not a subtype is among them.
            self.types.grouped = true;
            self.types.tags_first = false;
        }
    }

    fn fix_tags(&mut self) {
        bound(&mut self.tags, MAX_TAGS);
        let families = self.families.len() as u8;
        for tag in &mut self.tags {
            fix_types(&mut tag.params, &self.features, families, MAX_VALUES);
            fix_types(&mut tag.results, &self.features, families, MAX_VALUES);
            // The host makes imported tags by their type alone, which it can do for types that refer to no other.
            tag.imported &= tag
                .params
                .iter()
                .chain(&tag.results)
                .all(|ty| ty.is_plain());
        }
        if self.throwable().is_empty() {
            self.tags.push(Tag {
                params: vec![ValueType::I32],
                results: Vec::new(),
                imported: false,
            });
        }
        if self.suspendable().is_empty() {
            let results = self.families[0].loop_params(0);
            self.tags.push(Tag {
                params: Vec::new(),
                results,
                imported: false,
            });
        }
        for index in 0..self.families.len() {
            let results = self.families[index].results.clone();
            let fits = |tag: &Tag| tag.params.is_empty() && tag.results == results;
            let wanted = usize::from(self.families[index].switch_tag);
            if !self.tags.get(wanted).is_some_and(fits) {
                let found = self.tags.iter().position(fits).unwrap_or_else(|| {
                    self.tags.push(Tag {
                        params: Vec::new(),
                        results: results.clone(),
                        imported: false,
                    });
                    self.tags.len() - 1
                });
                self.families[index].switch_tag = found as u8;
            }
        }
    }

    fn fix_tasks(&mut self) {
        bound(&mut self.tasks, MAX_TASKS);
        let families = self.families.len() as u8;
        for task in &mut self.tasks {
            task.family %= families;
            let family = &self.families[usize::from(task.family)];
            if family.symmetric {
                task.entry = Entry::Loop;
            }
            if task.entry == Entry::Switch {
                task.prefix.clear();
                task.nominal = Nominal::Loop;
            }
            fix_types(&mut task.prefix, &self.features, families, MAX_PREFIX);
            if !self.features.bound_references {
                for ty in task.prefix.iter_mut().filter(|ty| ty.is_collected()) {
                    *ty = ValueType::FuncRef;
                }
            }
            task.two_binds &= task.prefix.len() > 1;
            let bare = task.prefix.is_empty();
            task.nominal = match task.nominal {
                Nominal::Loop if !bare => Nominal::Own,
                Nominal::Sub if !(bare && family.open) => Nominal::Own,
                Nominal::Rec if !self.features.subtyping => Nominal::Own,
                nominal => nominal,
            };
            // The import that calls back has one type, whatever the family.
            let reenters = !self.callbacks.is_empty()
                && family.results.is_empty()
                && family.loop_params(task.family).is_empty();
            let returns_cont = family.results.iter().any(|ty| ty.is_cont());
            let mut params = family.loop_params(task.family);
            params.extend(&task.prefix);
            let mut signature = params.iter().chain(&family.results);
            let plain = signature.clone().all(|ty| ty.is_plain());
            let visible = signature.all(|ty| ty.is_visible());
            match &mut task.body {
                TaskBody::Host if plain && task.entry == Entry::Loop => {
                    // The host makes functions by their type alone, which it can do for types in no group.
                    task.nominal = Nominal::Own;
                }
                TaskBody::Reentry if reenters && task.entry == Entry::Loop => {
                    task.prefix = vec![ValueType::FuncRef];
                    task.two_binds = false;
                    task.nominal = Nominal::Own;
                }
                TaskBody::Host | TaskBody::Reentry => task.body = TaskBody::nothing(),
                TaskBody::Woven(leaf) if returns_cont => {
                    let actions = leaf
                        .splices
                        .iter()
                        .flat_map(|splice| splice.actions.iter().cloned())
                        .collect();
                    task.body = TaskBody::Script(
                        Script {
                            actions,
                            salt: leaf.salt,
                        },
                        End::Return,
                    );
                }
                TaskBody::Woven(leaf) => {
                    // Among what wasm-smith may call is the leaf itself, and it does not see all of these parameters.
                    leaf.control &= visible && task.entry == Entry::Loop;
                    leaf.splices.truncate(12);
                }
                TaskBody::Script(..) => {}
            }
        }
        for family in 0..families {
            if self.tasks_of(family, Entry::Loop).is_empty() {
                self.tasks.push(Task {
                    family,
                    entry: Entry::Loop,
                    prefix: Vec::new(),
                    two_binds: false,
                    nominal: Nominal::Loop,
                    body: TaskBody::nothing(),
                });
            }
        }
        let (throwable, features) = (self.throwable(), self.features);
        let by_family: Vec<Vec<u8>> = (0..families)
            .map(|family| self.tasks_of(family, Entry::Loop))
            .collect();
        for task in &mut self.tasks {
            if let TaskBody::Script(_, end) = &mut task.body {
                match end {
                    End::Tail(callee, _) if features.tail_calls => {
                        *callee = among(*callee, &by_family[usize::from(task.family)]);
                    }
                    End::Tail(..) => *end = End::Return,
                    End::Throw(tag) => *tag = among(*tag, &throwable),
                    End::Return => {}
                }
            }
        }
    }

    fn fix_drivers(&mut self) {
        self.drivers.truncate(6);
        if self.drivers.is_empty() {
            let clauses = self
                .suspendable()
                .into_iter()
                .map(|tag| Clause::On {
                    tag,
                    then: Then::Continue,
                    mask: 0,
                })
                .chain([Clause::Switch])
                .collect();
            let family = 0;
            self.drivers.push(Driver {
                family,
                clauses,
                drain: false,
                guard: false,
                effect: Effect::None,
                salt: 0,
            });
        }
        let (throwable, logs) = (self.throwable(), self.logs.len() as u8);
        let mut drivers = std::mem::take(&mut self.drivers);
        for driver in &mut drivers {
            driver.family %= self.families.len() as u8;
            driver.clauses.truncate(24);
            driver.effect = match driver.effect {
                Effect::Log(_) if logs == 0 => Effect::None,
                Effect::Log(log) => Effect::Log(log % logs),
                other => other,
            };
            for clause in &mut driver.clauses {
                let Clause::On { tag, then, mask } = clause else {
                    continue;
                };
                *tag %= self.tags.len() as u8;
                let resumable = self.continues(*tag, driver.family);
                *then = match *then {
                    Then::Continue
                    | Then::Park
                    | Then::ParkGlobal
                    | Then::ParkObject(_)
                    | Then::Relay(_)
                        if !resumable =>
                    {
                        Then::Leak
                    }
                    Then::Throw(tag) => Then::Throw(among(tag, &throwable)),
                    Then::ThrowRef(tag) => Then::ThrowRef(among(tag, &throwable)),
                    Then::Relay(tag) => Then::Relay(self.suspendable_near(tag)),
                    Then::ParkObject(object) => self
                        .object(object, driver.family)
                        .map_or(Then::Park, Then::ParkObject),
                    other => other,
                };
                if !resumable || *then == Then::Continue {
                    *mask = 0;
                }
            }
        }
        self.drivers = drivers;
    }

    /// Tags an exception can have.
    pub(super) fn throwable(&self) -> Vec<u8> {
        let may_carry = |ty: &ValueType| self.features.continuations_in_objects || !ty.is_cont();
        self.tags_where(|tag| tag.results.is_empty() && tag.params.iter().all(may_carry))
    }

    /// Tags that a script suspends with: those after which a driver of the first family can go on.
    pub(super) fn suspendable(&self) -> Vec<u8> {
        let tags = 0..self.tags.len() as u8;
        tags.filter(|&tag| self.continues(tag, 0)).collect()
    }

    fn tags_where(&self, fits: impl Fn(&Tag) -> bool) -> Vec<u8> {
        self.tags
            .iter()
            .enumerate()
            .filter(|(_, tag)| fits(tag))
            .map(|(index, _)| index as u8)
            .collect()
    }

    /// The object of this kind, or of another one, that can hold a continuation of the family; none if none can.
    pub(super) fn object(&self, object: Object, family: u8) -> Option<Object> {
        let allowed = self.features.continuations_in_objects;
        if object == Object::Exception && allowed && self.carrier(family).is_some() {
            return Some(object);
        }
        let other = match object {
            Object::Exception => Object::Struct,
            object => object,
        };
        (allowed && self.features.gc).then_some(other)
    }

    /// A tag whose exceptions can hold a continuation of the family.
    pub(super) fn carrier(&self, family: u8) -> Option<u8> {
        let carries = |tag: &u8| {
            let params = &self.tags[usize::from(*tag)].params;
            params.len() < 5 && params.contains(&ValueType::ContRef(family))
        };
        self.throwable().into_iter().find(carries)
    }

    fn suspendable_near(&self, tag: u8) -> u8 {
        among(tag, &self.suspendable())
    }

    /// Whether a continuation of `family` that suspended with `tag` can be bound to the loop type.
    pub(super) fn continues(&self, tag: u8, family: u8) -> bool {
        let params = self.families[usize::from(family)].loop_params(family);
        let results = &self.tags[usize::from(tag)].results;
        let bindable = |ty: &ValueType| self.features.bound_references || !ty.is_collected();
        let bound = results.strip_suffix(params.as_slice());
        bound.is_some_and(|bound| bound.iter().all(bindable))
    }

    /// The tasks of a family that start in this way.
    pub(super) fn tasks_of(&self, family: u8, entry: Entry) -> Vec<u8> {
        let fits = |task: &&Task| task.family == family && task.entry == entry;
        (0u8..)
            .zip(&self.tasks)
            .filter(|(_, task)| fits(task))
            .map(|(index, _)| index)
            .collect()
    }
}

/// The `wanted`-th of `choices`, or `wanted` itself where it is one of them already.
pub(super) fn among(wanted: u8, choices: &[u8]) -> u8 {
    if choices.contains(&wanted) {
        wanted
    } else {
        choices[usize::from(wanted) % choices.len()]
    }
}

/// Cuts a list to `most` items unless it is only longer by what an earlier fix added.
fn bound<T>(items: &mut Vec<T>, most: usize) {
    if items.len() > most + SPARE {
        items.truncate(most);
    }
}

/// Bounds a list of types; `families` is 0 where no continuation type may stand.
pub(super) fn fix_types(
    types: &mut Vec<ValueType>,
    features: &super::Features,
    families: u8,
    limit: usize,
) {
    types.truncate(limit);
    for ty in types {
        *ty = match *ty {
            ValueType::F32 if !features.floats => ValueType::I32,
            ValueType::F64 if !features.floats => ValueType::I64,
            ValueType::V128 if !features.simd => ValueType::I64,
            ValueType::AnyRef | ValueType::StructRef if !features.gc => ValueType::ExternRef,
            ValueType::StructRef if families == 0 => ValueType::AnyRef,
            ValueType::ContRef(_) if families == 0 => ValueType::FuncRef,
            ValueType::ContRef(family) => ValueType::ContRef(family % families),
            plain => plain,
        };
    }
}
