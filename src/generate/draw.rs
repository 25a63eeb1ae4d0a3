//! Draws plans: which programs are generated, and how often.
//!
//! The weights here decide what is executed, and they were tuned by executing. Calls hand tasks to a *root* driver that
//! handles every tag; the other drivers handle some, so that suspensions pass through them and chains of several stacks are
//! captured. Scripted tasks perform the rarer operations; leaves perform suspensions and switches between ordinary code.

use super::Config;
use super::plan::*;
use arbitrary::Unstructured;

mod script;
mod types;

/// Draws a plan and the blobs of its leaves.
pub(super) fn plan(unstructured: &mut Unstructured<'_>, config: &Config) -> (Plan, Vec<Vec<u8>>) {
    // Looked at, not taken: whoever draws nothing of these features gets the modules that there would be without them.
    let mut entropy = [0; 8];
    let head = unstructured.peek_bytes(unstructured.len().min(8));
    for (to, from) in entropy.iter_mut().zip(head.unwrap_or_default()) {
        *to = *from;
    }
    let features = config.features.drawn(u64::from_le_bytes(entropy));
    let mut draw = Draw {
        unstructured,
        vectors: features.simd,
        objects: features.gc,
        holder: None,
    };
    if features.gc && features.continuations_in_objects {
        let kinds = [
            (45, Object::Struct),
            (30, Object::Array),
            (25, Object::Exception),
        ];
        draw.holder = Some(draw.weighted(&kinds));
    }
    let mut plan = Plan {
        features,
        types: TypeStyle {
            grouped: draw.chance(40),
            conts_first: draw.chance(50),
            tags_first: draw.chance(40),
        },
        fuel: if draw.chance(5) {
            50
        } else {
            8 + draw.below(16) as u8
        },
        tags: Vec::new(),
        families: Vec::new(),
        drivers: Vec::new(),
        tasks: Vec::new(),
        logs: Vec::new(),
        callbacks: Vec::new(),
        start: None,
        calls: Vec::new(),
    };
    draw.families(&mut plan);
    draw.tags(&mut plan);
    for _ in 0..1 + draw.below(2) {
        let params = draw.types(1, 3, 0);
        let results = if draw.chance(30) {
            draw.types(1, 2, 0)
        } else {
            Vec::new()
        };
        plan.logs.push(Log { params, results });
    }
    if draw.chance(35) {
        for _ in 0..1 + draw.below(2) {
            let (actions, salt) = (Vec::new(), draw.byte());
            plan.callbacks.push(Script { actions, salt });
        }
        plan.start = draw.chance(45).then_some(0);
    }
    draw.tasks(&mut plan, config);
    // Tags get their final numbers before anything refers to them by what they can do.
    plan.fix_up();
    draw.drivers(&mut plan);
    draw.scripts(&mut plan, config);
    let blobs = draw.blobs(&plan, config);
    (plan, blobs)
}

/// Choices from bytes. Once they are used up, everything is the first and smallest choice.
struct Draw<'u, 'b> {
    unstructured: &'u mut Unstructured<'b>,
    /// Whether vectors are among the types.
    vectors: bool,
    /// Whether references to objects are.
    objects: bool,
    /// What holds continuations, if objects do: mostly one kind, so that what is put into it is taken out of it.
    holder: Option<Object>,
}

impl Draw<'_, '_> {
    fn below(&mut self, bound: u32) -> u32 {
        self.unstructured
            .int_in_range(0..=bound.max(1) - 1)
            .unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.unstructured.arbitrary().unwrap_or(0)
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.below(100) >= 100 - percent
    }

    /// One of the weighted choices.
    fn weighted<T: Copy>(&mut self, choices: &[(u32, T)]) -> T {
        let total = choices.iter().map(|(weight, _)| weight).sum();
        let mut at = self.below(total);
        for &(weight, choice) in choices {
            if at < weight {
                return choice;
            }
            at -= weight;
        }
        choices[0].1
    }

    fn choose(&mut self, choices: &[u8]) -> u8 {
        if choices.is_empty() {
            0
        } else {
            choices[self.below(choices.len() as u32) as usize]
        }
    }

    /// What is to hold a continuation, where objects do.
    fn holder(&mut self) -> Object {
        let usual = self.holder.unwrap_or(Object::Struct);
        let other = [Object::Struct, Object::Array][self.below(2) as usize];
        if self.chance(20) { other } else { usual }
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u32 + 1) as usize);
        }
    }

    fn tasks(&mut self, plan: &mut Plan, config: &Config) {
        let families = plan.families.len() as u8;
        for _ in 0..2 + u32::from(self.chance(20)) {
            self.woven(plan, 0, Entry::Loop, config);
        }
        for family in 1..families {
            if self.chance(50) {
                self.woven(plan, family, Entry::Loop, config);
            } else {
                self.scripted(plan, family, Entry::Loop);
            }
        }
        for family in 0..families {
            let symmetric = plan.families[usize::from(family)].symmetric;
            if !symmetric && (family == 0 || self.chance(40)) {
                if self.chance(50) {
                    self.woven(plan, family, Entry::Switch, config);
                } else {
                    self.scripted(plan, family, Entry::Switch);
                }
            }
        }
        for _ in 0..2 + u32::from(self.chance(25)) {
            self.scripted(plan, 0, Entry::Loop);
        }
        if self.chance(24) {
            let prefix = self.types(0, 2, 0);
            self.task(plan, 0, Entry::Loop, prefix, TaskBody::Host);
        }
        let reenters = (0..families).find(|&family| {
            let described = &plan.families[usize::from(family)];
            described.results.is_empty() && described.loop_params(family).is_empty()
        });
        if let (Some(family), true) = (reenters, !plan.callbacks.is_empty() && self.chance(75)) {
            self.task(plan, family, Entry::Loop, Vec::new(), TaskBody::Reentry);
        }
    }

    fn task(
        &mut self,
        plan: &mut Plan,
        family: u8,
        entry: Entry,
        prefix: Vec<ValueType>,
        body: TaskBody,
    ) {
        let nominal = self.weighted(&[
            (30, Nominal::Own),
            (30, Nominal::Loop),
            (20, Nominal::Sub),
            (20, Nominal::Rec),
        ]);
        plan.tasks.push(Task {
            family,
            entry,
            prefix,
            two_binds: self.chance(40),
            nominal,
            body,
        });
    }

    fn woven(&mut self, plan: &mut Plan, family: u8, entry: Entry, config: &Config) {
        let prefix = self.prefix(plan.families.len() as u8);
        let leaf = Leaf {
            // Those that wasm-smith cannot see all parameters and results of have none.
            control: self.chance(if self.objects { 30 } else { 10 }),
            wild: self.chance(3),
            length: 6 + self.below(u32::from(config.leaf_instructions).saturating_sub(5)) as u8,
            splices: Vec::new(),
            salt: self.byte(),
        };
        self.task(plan, family, entry, prefix, TaskBody::Woven(leaf));
    }

    fn scripted(&mut self, plan: &mut Plan, family: u8, entry: Entry) {
        let prefix = self.prefix(plan.families.len() as u8);
        let script = Script {
            actions: Vec::new(),
            salt: self.byte(),
        };
        self.task(
            plan,
            family,
            entry,
            prefix,
            TaskBody::Script(script, End::Return),
        );
    }

    fn drivers(&mut self, plan: &mut Plan) {
        let mut root = self.driver(plan, 0, 100);
        root.guard = self.chance(15);
        root.drain = self.chance(60);
        plan.drivers.push(root);
        for family in 0..plan.families.len() as u8 {
            if family > 0 || self.chance(55) {
                let inner = self.driver(plan, family, 45);
                plan.drivers.push(inner);
            }
        }
    }

    /// A driver that handles this share of the tags: the root's, which handles all of them, lets nothing go unhandled.
    fn driver(&mut self, plan: &Plan, family: u8, percent: u32) -> Driver {
        let is_root = percent == 100;
        let throwable = plan.throwable();
        let mut clauses = Vec::new();
        for tag in plan.suspendable() {
            if !self.chance(percent) {
                continue;
            }
            let plain = Clause::On {
                tag,
                then: Then::Continue,
                mask: 0,
            };
            if self.chance(18) {
                // Most of the time the loop must go on, or the rest of the leaf is never run.
                let mask = self.weighted(&[(40, 3), (40, 7), (20, 1)]);
                let then = self.weighted(&[
                    (30, Then::Throw(0)),
                    (30, Then::ThrowRef(0)),
                    (20, Then::Park),
                    (8, Then::ParkGlobal),
                    (4, Then::Leak),
                    (
                        if self.holder.is_some() { 25 } else { 0 },
                        Then::ParkObject(Object::Struct),
                    ),
                    (if is_root { 0 } else { 25 }, Then::Relay(0)),
                ]);
                let then = match then {
                    Then::Throw(_) => Then::Throw(self.choose(&throwable)),
                    Then::ThrowRef(_) => Then::ThrowRef(self.choose(&throwable)),
                    Then::Relay(_) => Then::Relay(self.choose(&plan.suspendable())),
                    Then::ParkObject(_) => Then::ParkObject(self.holder()),
                    other => other,
                };
                clauses.push(Clause::On { tag, then, mask });
                // Never reached by the resume, but by what the body does after it has caught the exception.
                clauses.push(plain);
            } else {
                clauses.push(plain.clone());
                if self.chance(8) {
                    clauses.push(plain);
                }
            }
        }
        if is_root || self.chance(50) {
            let at = self.below(clauses.len() as u32 + 1) as usize;
            clauses.insert(at, Clause::Switch);
        }
        let effect = self.weighted(&[
            (70, Effect::None),
            (10, Effect::Grow),
            (10, Effect::Write),
            (10, Effect::Log(0)),
        ]);
        Driver {
            family,
            clauses,
            drain: self.chance(30),
            guard: self.chance(20),
            effect,
            salt: self.byte(),
        }
    }

    fn blobs(&mut self, plan: &Plan, config: &Config) -> Vec<Vec<u8>> {
        let mut blobs = Vec::new();
        for task in &plan.tasks {
            if let TaskBody::Woven(_) = task.body {
                let length = 24 + self.below(config.leaf_bytes.saturating_sub(23) as u32) as usize;
                let length = length.min(self.unstructured.len());
                blobs.push(self.unstructured.bytes(length).unwrap_or(&[]).to_vec());
            }
        }
        blobs
    }
}
