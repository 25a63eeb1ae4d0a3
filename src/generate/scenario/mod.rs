//! Scenarios: small programs of the kinds that people write with stack switching, and that engines got wrong.
//!
//! A scenario is one of the kinds in [`Scenario`], with its parameters; [`Style`] is what all of them have in common, such as what
//! else happens at a certain step. Everything is bounded by the parameters, so a module needs no fuel: a loop is
//! counted, or ends because what it resumes suspends so many times only. What
//! values are handed from stack to stack is mixed into one global (`values.rs`), so that whatever arrives wrongly shows.

mod actors;
mod builder;
mod chain;
mod clauses;
mod code;
mod effects;
mod exceptions;
mod futures;
mod host;
mod keep;
mod memory;
pub mod parameters;
mod pipeline;
mod reuse;
mod site;
mod style;
mod switching;
mod tail;
mod threads;
mod types;
mod values;
mod wide;

pub use actors::Actors;
pub use chain::{Chain, Then};
pub use clauses::{Clauses, List, OnTag, Use};
pub use effects::{Effects, Layer, Perform};
pub use exceptions::{Catching, Exceptions};
pub use futures::Futures;
pub use host::{Entry, Host, Level};
pub use memory::{Away, Growth};
pub use pipeline::Pipeline;
pub use reuse::{Again, Ending, Endings, Stale};
pub use style::{Fault, Style, Twist};
pub use switching::Switching;
pub use tail::{Link, Tails};
pub use threads::{Scheduler, Threads};
pub use types::Layout;
pub use wide::{Binding, Wide};

use super::Features;
use arbitrary::{Arbitrary, Unstructured};
use builder::{Builder, Learnt};
use serde::{Deserialize, Serialize};
use wasm_encoder::Module;

macro_rules! scenarios {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A kind of program, with its parameters.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
        pub enum Scenario {
            $($(#[$doc])* $name($name),)*
        }

        impl Scenario {
            /// Builds what the program consists of. Returns the function that runs it.
            fn run(&self, b: &mut Builder) -> u32 {
                match self {
                    $(Scenario::$name(scenario) => scenario.run(b),)*
                }
            }

            /// The name of the kind.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Scenario::$name(_) => stringify!($name),)*
                }
            }
        }
    };
}

// Plans in files have these as numbers: new ones go to the end.
scenarios! {
    /// A round-robin scheduler whose tasks suspend.
    Scheduler,
    /// Threads that start and join others.
    Threads,
    /// Tasks that switch to one another.
    Switching,
    /// Generators, filters, and what consumes them.
    Pipeline,
    /// Asynchronous functions and promises.
    Futures,
    /// Actors with mailboxes.
    Actors,
    /// A computation with effects in layers of handlers.
    Effects,
    /// A deep chain of stacks, captured and gone on with in several ways.
    Chain,
    /// Many values of all types.
    Wide,
    /// Arguments bound in many steps.
    Binding,
    /// The host as a body, and re-entries from it.
    Host,
    /// A memory that grows on another stack.
    Growth,
    /// Tail calls as bodies.
    Tails,
    /// Tags used for everything, and duplicate clauses.
    Clauses,
    /// Exceptions through several stacks.
    Exceptions,
    /// References that are used again although they are consumed.
    Stale,
    /// Stacks that are used again.
    Endings,
}

/// The plan of a scenario module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What the module may use.
    pub features: Features,
    /// What is around the scenario.
    pub style: Style,
    /// The scenario.
    pub scenario: Scenario,
}

impl Plan {
    /// Draws a plan of a module that may use these features. Any bytes give a plan, few bytes a small one.
    pub fn draw(u: &mut Unstructured<'_>, features: &Features) -> Plan {
        let drawn = |_| "bytes that are used up are zeros";
        let scenario = u.arbitrary().map_err(drawn);
        let style = u.arbitrary().map_err(drawn);
        let mut plan = Plan {
            features: *features,
            style: style.expect("nothing is refused"),
            scenario: scenario.expect("nothing is refused"),
        };
        plan.fix_up(features);
        plan
    }

    /// Makes the plan one of a module that uses no more than these features. All else is in its bounds by its types.
    pub fn fix_up(&mut self, features: &Features) {
        self.features = self.features.and(*features);
    }

    /// Builds the module.
    pub fn build(&self) -> Module {
        let learnt = self.construct(None).learnt();
        self.construct(Some(&learnt)).finish(self.layout())
    }

    fn layout(&self) -> Layout {
        match self.style.layout {
            // In one group no type stands behind another group.
            Layout::Apart(padding) if !self.features.late_switch_types => {
                Layout::Together(u8::from(padding).into(), 0.into())
            }
            layout => layout,
        }
    }

    fn construct(&self, learnt: Option<&Learnt>) -> Builder {
        let mut builder = Builder::new(self.features, learnt, self.layout());
        self.style.before(&mut builder);
        let run = self.scenario.run(&mut builder);
        self.style.after(&mut builder, run);
        builder
    }
}

#[cfg(test)]
mod tests;
