//! Draws scripts and splices: what tasks, callbacks and calls do.

use super::Draw;
use crate::generate::Config;
use crate::generate::plan::*;

impl Draw<'_, '_> {
    /// Fills in what the plan's functions do. Everything they refer to is there.
    pub(super) fn scripts(&mut self, plan: &mut Plan, config: &Config) {
        for index in 0..plan.callbacks.len() {
            let mut actions = vec![self.drive_root(plan, None)];
            if self.chance(30) {
                actions.push(self.small(plan));
            }
            // What fails inside an entry goes through the host's frame.
            match self.below(100) {
                82..=91 => actions.push(Action::Throw(self.choose(&plan.throwable()))),
                92.. => actions.push(Action::Trap(self.trap_kind())),
                _ => {}
            }
            plan.callbacks[index].actions = actions;
        }
        let mut wanted = self.wanted(plan);
        let scripted = |task: &&Task| task.family == 0 && matches!(task.body, TaskBody::Script(..));
        let mut left = plan.tasks.iter().filter(scripted).count();
        let mut tasks = plan.tasks.clone();
        for task in &mut tasks {
            let family = task.family;
            match &mut task.body {
                TaskBody::Woven(leaf) => leaf.splices = self.splices(plan, family),
                TaskBody::Script(script, end) => {
                    if family == 0 {
                        let share = wanted.len().div_ceil(left.max(1));
                        script.actions.extend(wanted.drain(..share).flatten());
                        left -= 1;
                    }
                    for _ in 0..self.below(2) + u32::from(family > 0) {
                        let mut actions = self.step(plan, family);
                        script.actions.append(&mut actions);
                    }
                    if self.chance(8) {
                        let mask = self.weighted(&[(50, 3), (50, 1)]);
                        let ending = match self.chance(50) {
                            true => Action::Trap(self.trap_kind()),
                            false => self.dead(plan),
                        };
                        script.actions.extend([Action::When(mask, 1), ending]);
                    }
                    *end = match self.below(100) {
                        75..=95 => End::Tail(self.byte(), self.linkage()),
                        96.. => End::Throw(self.byte()),
                        _ => End::Return,
                    };
                }
                TaskBody::Host | TaskBody::Reentry => {}
            }
        }
        plan.tasks = tasks;
        self.calls(plan, config);
    }

    fn calls(&mut self, plan: &mut Plan, config: &Config) {
        let tasks = plan.tasks_of(0, Entry::Loop);
        let count = 3 + self.below(u32::from(config.calls).saturating_sub(2));
        // Every task of the first family is driven by some call, and the woven ones first.
        let per_call = tasks.len().div_ceil(count as usize).max(1);
        let mut next = tasks.iter().copied().cycle();
        for _ in 0..count.min(u32::from(config.calls)) {
            let mut actions = Vec::new();
            for _ in 0..per_call {
                let task = next.next();
                actions.push(self.drive_root(plan, task));
            }
            if self.chance(30) {
                actions.push(self.small(plan));
            }
            match self.below(100) {
                // Handled by nobody: an outcome of its own.
                94..=95 => actions.push(Action::Suspend(self.byte())),
                96..=97 => actions.push(self.once(plan, 0, true)),
                90..=93 => {
                    let kind = self.trap_kind();
                    actions.push(Action::Trap(kind));
                }
                87..=89 => actions.push(self.dead(plan)),
                _ => {}
            }
            let results = self.types(0, 2, 0);
            plan.calls.push(Call {
                results,
                script: Script {
                    actions,
                    salt: self.byte(),
                },
            });
        }
    }

    /// What should be executed in most modules, in an order of its own, to be dealt out to the scripted tasks.
    fn wanted(&mut self, plan: &Plan) -> Vec<Vec<Action>> {
        let mut wanted = Vec::new();
        if self.chance(75) {
            wanted.push(vec![self.switch(plan, 0)]);
        }
        if self.chance(85) {
            wanted.push(vec![self.throw_into(plan, false)]);
        }
        if self.chance(85) {
            wanted.push(vec![self.throw_into(plan, true)]);
        }
        if self.chance(60) {
            wanted.push(vec![self.once(plan, 0, false)]);
        }
        if self.holder.is_some() && self.chance(75) {
            let kept = self.kept(plan);
            wanted.push(kept);
        }
        if !plan.callbacks.is_empty() && self.chance(30) {
            wanted.push(vec![Action::Reenter(self.byte()), self.suspend(plan)]);
        }
        for driver in 1..plan.drivers.len() as u8 {
            wanted.push(vec![self.drive_inner(plan, driver)]);
        }
        self.shuffle(&mut wanted);
        wanted
    }

    fn splices(&mut self, plan: &Plan, family: u8) -> Vec<Splice> {
        let count = 2 + self.below(3);
        let mut splices: Vec<Splice> = (0..count)
            .map(|_| {
                let actions = match self.below(100) {
                    0..=54 => vec![self.suspend(plan)],
                    55..=69 => vec![self.switch(plan, family)],
                    _ => self.step(plan, family),
                };
                Splice {
                    point: self.byte(),
                    actions,
                }
            })
            .collect();
        // A leaf that never suspends is only code.
        splices.push(Splice {
            point: self.byte(),
            actions: vec![self.suspend(plan)],
        });
        splices
    }

    /// One step of a task, with what belongs to it.
    fn step(&mut self, plan: &Plan, family: u8) -> Vec<Action> {
        let action = match self.below(100) {
            0..=24 => self.suspend(plan),
            25..=34 => self.switch(plan, family),
            35..=46 => {
                let others = plan.drivers.len() as u32 - 1;
                let driver = if others == 0 {
                    0
                } else {
                    1 + self.below(others) as u8
                };
                self.drive_inner(plan, driver)
            }
            47..=56 => self.once(plan, family, false),
            57..=60 => self.throw_into(plan, false),
            61..=64 => self.throw_into(plan, true),
            65..=68 => Action::Call(self.byte(), self.linkage()),
            69..=74 => {
                // An exception through whatever runs here, caught in the same function.
                let catch = self.catch(plan, 100);
                let thrown = if self.chance(60) {
                    Action::Throw(self.choose(&plan.throwable()))
                } else {
                    Action::Rethrow
                };
                return vec![Action::Try(catch, 2), self.suspend(plan), thrown];
            }
            75..=78 => {
                let mask = self.weighted(&[(50, 3), (50, 7)]);
                return vec![
                    Action::When(mask, 1),
                    Action::Throw(self.choose(&plan.throwable())),
                ];
            }
            79..=84 => {
                let times = 2 + self.below(3) as u8;
                let inner = match self.below(3) {
                    0 => self.once(plan, family, false),
                    1 => self.switch(plan, family),
                    _ => self.suspend(plan),
                };
                return vec![Action::Repeat(times, 1), inner];
            }
            85..=87 if !plan.callbacks.is_empty() => {
                // What suspends after a re-entry must still find its handlers.
                return vec![Action::Reenter(self.byte()), self.suspend(plan)];
            }
            _ => self.small(plan),
        };
        vec![action]
    }

    /// A step without stack switching.
    fn small(&mut self, plan: &Plan) -> Action {
        match self.below(10) {
            0..=2 if !plan.callbacks.is_empty() => Action::Reenter(self.byte()),
            0..=5 => Action::Log(self.byte()),
            6 => Action::Grow,
            7 => Action::Rethrow,
            _ => Action::Touch,
        }
    }

    fn suspend(&mut self, plan: &Plan) -> Action {
        Action::Suspend(self.choose(&plan.suspendable()))
    }

    fn switch(&mut self, plan: &Plan, family: u8) -> Action {
        let tasks = plan.tasks_of(family, Entry::Switch);
        let source = if tasks.is_empty() {
            self.source(plan, family)
        } else {
            Source::Fresh(self.choose(&tasks))
        };
        Action::Switch(family, source)
    }

    fn source(&mut self, plan: &Plan, family: u8) -> Source {
        if self.holder.is_some() && self.chance(25) {
            return Source::Object(self.holder());
        }
        match self.below(10) {
            0..=4 => Source::Fresh(self.choose(&plan.tasks_of(family, Entry::Loop))),
            5..=7 => Source::Stack,
            8 => Source::Global,
            _ => Source::Received,
        }
    }

    fn drive_root(&mut self, plan: &Plan, task: Option<u8>) -> Action {
        let source = match task {
            Some(task) => Source::Fresh(task),
            None => self.source(plan, 0),
        };
        Action::Drive {
            driver: 0,
            source,
            catch: self.catch(plan, 80),
        }
    }

    fn drive_inner(&mut self, plan: &Plan, driver: u8) -> Action {
        let source = self.source(plan, plan.drivers[usize::from(driver)].family);
        Action::Drive {
            driver,
            source,
            catch: self.catch(plan, 60),
        }
    }

    /// Resume once under a small handler list. `bare` where nobody around handles the rest.
    fn once(&mut self, plan: &Plan, family: u8, bare: bool) -> Action {
        let source = self.source(plan, family);
        let mut tags = Vec::new();
        if !bare {
            let suspendable = plan.suspendable();
            for _ in 0..1 + self.below(3) {
                tags.push(self.choose(&suspendable));
            }
        }
        let fitting: Vec<u8> = (0..plan.drivers.len() as u8)
            .filter(|&driver| plan.drivers[usize::from(driver)].family == family)
            .collect();
        let after = match self.below(100) {
            0..=11 if self.holder.is_some() => After::ParkObject(self.holder()),
            0..=24 => After::Park,
            25..=34 => After::ParkGlobal,
            35..=49 => After::Drive(self.choose(&fitting)),
            50..=62 => After::Resume,
            63..=77 => After::Throw(self.choose(&plan.throwable())),
            78..=93 => After::ThrowRef(self.choose(&plan.throwable())),
            94..=95 => After::Twice,
            96 => After::BindTwice,
            _ => After::Leak,
        };
        let catch = match after {
            After::Throw(_) | After::ThrowRef(_) => self.catch(plan, 90),
            _ => self.catch(plan, 35),
        };
        Action::Once {
            family,
            source,
            tags,
            switch: self.chance(30),
            after,
            catch,
        }
    }

    /// A continuation that suspends, goes into an object, and is taken out of it while this function has suspended in between.
    fn kept(&mut self, plan: &Plan) -> Vec<Action> {
        let object = self.holder();
        let mut put = self.once(plan, 0, false);
        if let Action::Once { after, tags, .. } = &mut put {
            *after = After::ParkObject(object);
            // All tags of one type: whatever it suspends with, it is caught here if it can be.
            if let Some(&first) = tags.first() {
                let like = |tag: u8| {
                    let tag = &plan.tags[usize::from(tag)];
                    (&tag.params, &tag.results)
                };
                *tags = plan.suspendable();
                tags.retain(|&tag| like(tag) == like(first));
            }
        }
        let source = Source::Object(object);
        let mut taken = match self.below(5) {
            0..=1 => self.drive_root(plan, None),
            2 => self.once(plan, 0, false),
            3 => self.throw_into(plan, false),
            _ => self.throw_into(plan, true),
        };
        match &mut taken {
            Action::Drive { source: from, .. }
            | Action::Once { source: from, .. }
            | Action::Inject { source: from, .. } => *from = source,
            _ => {}
        }
        if plan.families[0].symmetric && self.chance(30) {
            taken = Action::Switch(0, source);
        }
        vec![put, self.suspend(plan), taken]
    }

    fn throw_into(&mut self, plan: &Plan, by_reference: bool) -> Action {
        let tag = self.choose(&plan.throwable());
        let exception = if by_reference {
            Injected::Ref(tag)
        } else {
            Injected::Tag(tag)
        };
        let source = match self.below(10) {
            1..=4 if self.holder.is_some() => Source::Object(self.holder()),
            0..=2 => Source::Fresh(self.choose(&plan.tasks_of(0, Entry::Loop))),
            3..=7 => Source::Stack,
            _ => Source::Global,
        };
        Action::Inject {
            family: 0,
            source,
            exception,
            catch: self.catch(plan, 90),
        }
    }

    fn dead(&mut self, plan: &Plan) -> Action {
        let consumer = match self.below(10) {
            0..=5 if plan.families[0].symmetric => Consumer::Switch,
            0..=3 => Consumer::Drive(0),
            4..=5 => Consumer::Bind,
            6..=7 => Consumer::Throw(self.choose(&plan.throwable())),
            _ => Consumer::Switch,
        };
        Action::Dead(0, consumer)
    }

    fn catch(&mut self, plan: &Plan, percent: u32) -> Catch {
        if !self.chance(percent) {
            return Catch::default();
        }
        let throwable = plan.throwable();
        let mut tags = Vec::new();
        if self.chance(45) {
            for _ in 0..1 + self.below(3) {
                tags.push(self.choose(&throwable));
            }
        }
        Catch {
            all: tags.is_empty() || self.chance(80),
            tags,
            refs: self.chance(45),
        }
    }

    fn linkage(&mut self) -> Linkage {
        self.weighted(&[
            (34, Linkage::Direct),
            (33, Linkage::Ref),
            (33, Linkage::Indirect),
        ])
    }

    fn trap_kind(&mut self) -> TrapKind {
        use TrapKind::*;
        self.weighted(&[
            (2, Unreachable),
            (2, DivideByZero),
            (2, OutOfBounds),
            (2, NullContinuation),
            (1, NullFunction),
            (2, NullException),
            (1, ThrowNull),
            (1, Uninitialized),
            (1, BindNull),
        ])
    }
}
