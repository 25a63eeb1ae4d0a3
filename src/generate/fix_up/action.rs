//! Makes actions valid: their tags, tasks, drivers and sources, and what they count as their own.

use super::{MAX_VALUES, among, fix_types};
use crate::generate::plan::*;

/// Deepest nesting of `When`, `Repeat` and `Try`.
const MAX_NESTING: u32 = 3;

impl Plan {
    pub(super) fn fix_actions(&mut self) {
        let plan = self.clone();
        for task in &mut self.tasks {
            match &mut task.body {
                TaskBody::Woven(leaf) => {
                    for splice in &mut leaf.splices {
                        plan.fix_script(&mut splice.actions);
                    }
                }
                TaskBody::Script(script, _) => plan.fix_script(&mut script.actions),
                TaskBody::Host | TaskBody::Reentry => {}
            }
        }
        for callback in &mut self.callbacks {
            plan.fix_script(&mut callback.actions);
        }
        for call in &mut self.calls {
            fix_types(
                &mut call.results,
                &plan.features,
                plan.families.len() as u8,
                MAX_VALUES,
            );
            plan.fix_script(&mut call.script.actions);
        }
    }

    fn fix_script(&self, actions: &mut Vec<Action>) {
        actions.truncate(16);
        self.fix_sequence(actions, 0);
    }

    fn fix_sequence(&self, actions: &mut [Action], nesting: u32) {
        let mut rest = actions;
        while let Some((first, following)) = rest.split_first_mut() {
            self.fix_action(first);
            let count = match first {
                Action::When(_, count) | Action::Repeat(_, count) | Action::Try(_, count) => {
                    *count = (*count).min(following.len() as u8);
                    if nesting == MAX_NESTING {
                        *count = 0;
                    }
                    usize::from(*count)
                }
                _ => 0,
            };
            let (inner, outer) = following.split_at_mut(count);
            self.fix_sequence(inner, nesting + 1);
            rest = outer;
        }
    }

    fn fix_source(&self, source: &mut Source, family: u8) {
        match source {
            Source::Fresh(task) => *task = among(*task, &self.tasks_of(family, Entry::Loop)),
            Source::Object(object) => {
                let object = self.object(*object, family);
                *source = object.map_or(Source::Stack, Source::Object);
            }
            Source::Stack | Source::Global | Source::Received => {}
        }
    }

    fn fix_driver(&self, driver: &mut u8, family: Option<u8>) -> bool {
        let fitting: Vec<u8> = (0..self.drivers.len() as u8)
            .filter(|&driver| {
                family.is_none_or(|family| self.drivers[usize::from(driver)].family == family)
            })
            .collect();
        if fitting.is_empty() {
            return false;
        }
        *driver = among(*driver, &fitting);
        true
    }

    fn fix_catch(&self, catch: &mut Catch) {
        let throwable = self.throwable();
        catch.tags.truncate(4);
        for tag in &mut catch.tags {
            *tag = among(*tag, &throwable);
        }
        if let Some(&first) = catch.tags.first() {
            let params = &self.tags[usize::from(first)].params;
            catch
                .tags
                .retain(|&tag| self.tags[usize::from(tag)].params == *params);
        }
    }

    fn fix_action(&self, action: &mut Action) {
        let families = self.families.len() as u8;
        match action {
            Action::Suspend(tag) => *tag = self.suspendable_near(*tag),
            Action::Switch(family, source) => {
                *family %= families;
                if self.families[usize::from(*family)].symmetric {
                    self.fix_source(source, *family);
                } else {
                    let tasks = self.tasks_of(*family, Entry::Switch);
                    if tasks.is_empty() {
                        *action = Action::Touch;
                    } else if let Source::Fresh(task) = source {
                        *task = among(*task, &tasks);
                    } else {
                        *source = Source::Fresh(tasks[0]);
                    }
                }
            }
            Action::Drive {
                driver,
                source,
                catch,
            } => {
                self.fix_driver(driver, None);
                self.fix_source(source, self.drivers[usize::from(*driver)].family);
                self.fix_catch(catch);
            }
            Action::Once {
                family,
                source,
                tags,
                switch: _,
                after,
                catch,
            } => {
                *family %= families;
                self.fix_source(source, *family);
                self.fix_catch(catch);
                tags.truncate(4);
                for tag in tags.iter_mut() {
                    *tag %= self.tags.len() as u8;
                }
                let Some(&first) = tags.first() else {
                    *after = After::Leak;
                    return;
                };
                let type_of = |tag: u8| {
                    let tag = &self.tags[usize::from(tag)];
                    (&tag.params, &tag.results)
                };
                tags.retain(|&tag| type_of(tag) == type_of(first));
                let throwable = self.throwable();
                match after {
                    After::Drive(driver) => {
                        let drivable = self.continues(first, *family);
                        let found = drivable && self.fix_driver(driver, Some(*family));
                        *after = if found {
                            After::Drive(*driver)
                        } else {
                            After::Leak
                        };
                    }
                    After::Park | After::ParkGlobal | After::ParkObject(_) | After::BindTwice
                        if !self.continues(first, *family) =>
                    {
                        *after = After::Leak;
                    }
                    After::ParkObject(object) => {
                        let object = self.object(*object, *family);
                        *after = object.map_or(After::Park, After::ParkObject);
                    }
                    After::Throw(tag) | After::ThrowRef(tag) => *tag = among(*tag, &throwable),
                    _ => {}
                }
            }
            Action::Inject {
                family,
                source,
                exception,
                catch,
            } => {
                *family %= families;
                self.fix_source(source, *family);
                self.fix_catch(catch);
                let (Injected::Tag(tag) | Injected::Ref(tag)) = exception;
                *tag = among(*tag, &self.throwable());
            }
            Action::Call(task, _) => *task %= self.tasks.len() as u8,
            Action::Throw(tag) => *tag = among(*tag, &self.throwable()),
            Action::Log(log) => match self.logs.len() as u8 {
                0 => *action = Action::Touch,
                count => *log %= count,
            },
            Action::Reenter(callback) => match self.callbacks.len() as u8 {
                0 => *action = Action::Touch,
                count => *callback %= count,
            },
            Action::Dead(family, consumer) => {
                *family %= families;
                match consumer {
                    Consumer::Drive(driver) => {
                        if !self.fix_driver(driver, Some(*family)) {
                            *consumer = Consumer::Bind;
                        }
                    }
                    Consumer::Throw(tag) => *tag = among(*tag, &self.throwable()),
                    Consumer::Switch if !self.families[usize::from(*family)].symmetric => {
                        *consumer = Consumer::Bind
                    }
                    Consumer::Switch | Consumer::Bind => {}
                }
            }
            Action::Rethrow | Action::Grow | Action::Touch | Action::Trap(_) => {}
            Action::When(..) => {}
            Action::Repeat(times, _) => *times %= 8,
            Action::Try(catch, _) => self.fix_catch(catch),
        }
    }
}
