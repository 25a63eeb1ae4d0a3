//! The plan of a module: everything about it that is ours to decide, as data.
//!
//! A plan names types, tags, handler lists, tasks, drivers and scripts; the code between the stack switches comes from
//! wasm-smith and is not in the plan, only the length and kind of it. A plan is what a mutator changes. Any value of these
//! types becomes a valid plan by [`Plan::fix_up`], so no mutation is ever lost; indices mean "the n-th of those that fit".
//! This file holds the data model alone: how it is encoded is in `format`, how it is drawn in `draw`, what it compiles to
//! in `build` and below.

use super::Features;
use serde::{Deserialize, Serialize};

mod action;

pub use action::*;

/// A value type of the generated program, with continuation types by family instead of by type index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ValueType {
    /// `i32`
    I32,
    /// `i64`
    I64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `funcref`
    FuncRef,
    /// `externref`
    ExternRef,
    /// `exnref`
    ExnRef,
    /// `(ref null $ct)` with the loop type of this family.
    ContRef(u8),
    /// `v128`
    V128,
    /// `anyref`
    AnyRef,
    /// `(ref null $struct)` with the module's own structure type.
    StructRef,
}

impl ValueType {
    /// Whether the type refers to no type that the module defines: what the host makes by its type alone may have it.
    pub(super) fn is_plain(self) -> bool {
        !matches!(self, ValueType::ContRef(_) | ValueType::StructRef)
    }

    /// Whether the type can stand in a module without continuations and GC: in what wasm-smith sees.
    pub(super) fn is_visible(self) -> bool {
        !matches!(
            self,
            ValueType::ContRef(_) | ValueType::AnyRef | ValueType::StructRef
        )
    }

    /// Whether the type is a reference to a continuation.
    pub(super) fn is_cont(self) -> bool {
        matches!(self, ValueType::ContRef(_))
    }
}

impl ValueType {
    /// Whether it is a type of references to what a collector manages. (Continuations are not: they are managed otherwise.)
    pub(super) fn is_collected(self) -> bool {
        use ValueType::*;
        match self {
            ExternRef | ExnRef | AnyRef | StructRef => true,
            I32 | I64 | F32 | F64 | V128 | FuncRef | ContRef(_) => false,
        }
    }
}

/// How the type section is laid out. No choice here changes what the program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeStyle {
    /// The families' types form one recursion group even where no recursion asks for it.
    pub grouped: bool,
    /// Inside that group continuation types come before the function types they refer to.
    pub conts_first: bool,
    /// Types of tags come before the families', which shifts every index behind them.
    pub tags_first: bool,
}

/// A tag: of exceptions where it has no results, of suspensions in any case, of switches where it has no parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Parameters, the payload.
    pub params: Vec<ValueType>,
    /// Results, what a resumption hands back.
    pub results: Vec<ValueType>,
    /// Imported from the host instead of defined.
    pub imported: bool,
}

/// A family of continuations that share a result type, and one type at which drivers resume them: the *loop type*.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// Parameters of the loop type (without the peer of a symmetric family).
    pub params: Vec<ValueType>,
    /// Results of every continuation of the family.
    pub results: Vec<ValueType>,
    /// The loop type takes a reference to itself as its last parameter, so that any two continuations can switch.
    pub symmetric: bool,
    /// Of a family that is not symmetric: the values that a switch into a fresh continuation carries.
    pub switch_values: Vec<ValueType>,
    /// The tag for `switch`; its type is `[] -> results`.
    pub switch_tag: u8,
    /// The loop type is open and has a declared subtype.
    pub open: bool,
}

impl Family {
    /// Parameters of the loop type of family `index`, which is this family.
    pub(super) fn loop_params(&self, index: u8) -> Vec<ValueType> {
        let mut params = self.params.clone();
        if self.symmetric {
            params.push(ValueType::ContRef(index));
        }
        params
    }

    /// The values a `switch` inside this family carries, besides the switcher's continuation.
    pub(super) fn values_of_switch(&self) -> &[ValueType] {
        if self.symmetric {
            &self.params
        } else {
            &self.switch_values
        }
    }
}

/// A function that resumes a continuation until it returns: one loop around one `resume`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Driver {
    /// The family it drives.
    pub family: u8,
    /// The handler list, in order.
    pub clauses: Vec<Clause>,
    /// After a return, go on with a continuation from the family's stack, if one is there.
    pub drain: bool,
    /// The `resume` stands in a `try_table` that catches everything, keeps the exception and returns defaults.
    pub guard: bool,
    /// What happens at each suspension before the continuation is used.
    pub effect: Effect,
    /// Chooses constants and operands.
    pub salt: u8,
}

/// One handler clause of a driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Clause {
    /// `(on tag $label)`
    On {
        /// The tag.
        tag: u8,
        /// What becomes of the continuation.
        then: Then,
        /// `then` is done only if this mask and the fuel have no bit in common; otherwise the loop continues.
        mask: u8,
    },
    /// `(on tag switch)` with the family's tag for switches.
    Switch,
}

/// What a driver does with a suspended continuation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Then {
    /// Bind what is missing and resume it again.
    Continue,
    /// `resume_throw` with this tag, and return the results.
    Throw(u8),
    /// `resume_throw_ref` with the exception kept last, or a new one of this tag.
    ThrowRef(u8),
    /// Keep it on the family's stack and return defaults.
    Park,
    /// Keep it in the family's global and return defaults.
    ParkGlobal,
    /// Forget it and return defaults.
    Leak,
    /// Suspend in turn with this tag, then continue.
    Relay(u8),
    /// Keep it in such an object of the family's and return defaults.
    ParkObject(Object),
}

/// What keeps a continuation that is kept in neither a table nor a global.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Object {
    /// A field of a structure.
    Struct,
    /// An element of an array.
    Array,
    /// The payload of an exception.
    Exception,
}

/// What a driver does at each suspension, on another stack than the suspended code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Nothing.
    None,
    /// Grow the memory by a page.
    Grow,
    /// Write to the memory.
    Write,
    /// Call the n-th log import.
    Log(u8),
}

/// How a task starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// By a resume: its type is the prefix followed by the loop type's parameters.
    Loop,
    /// By a `switch` (families that are not symmetric): it takes the switch values and the switcher.
    Switch,
}

/// How the type of a task relates to the loop type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nominal {
    /// The loop type itself, where the prefix is empty.
    Loop,
    /// Types of its own; `cont.bind` leads to the loop type even with nothing to bind.
    Own,
    /// The declared subtype of the loop type, where the family has one and the prefix is empty.
    Sub,
    /// Types of its own in a recursion group, the continuation type first.
    Rec,
}

/// A function that runs on continuations (and is called as an ordinary function here and there).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its family.
    pub family: u8,
    /// How it is entered.
    pub entry: Entry,
    /// Parameters before those of the loop type; bound before the first resume.
    pub prefix: Vec<ValueType>,
    /// The prefix is bound in two steps instead of one.
    pub two_binds: bool,
    /// Which types it has.
    pub nominal: Nominal,
    /// What it does.
    pub body: TaskBody,
}

/// What a task does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskBody {
    /// A leaf: code from wasm-smith with actions spliced in.
    Woven(Leaf),
    /// Actions only.
    Script(Script, End),
    /// An imported host function.
    Host,
    /// The imported function that calls back: the host re-enters from a continuation's first frame.
    Reentry,
}

impl TaskBody {
    /// A script that only returns.
    pub(super) fn nothing() -> TaskBody {
        let script = Script {
            actions: Vec::new(),
            salt: 0,
        };
        TaskBody::Script(script, End::Return)
    }
}

/// The ordinary code of a woven task, as far as the plan decides it. The code itself comes from a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// With blocks, loops, branches and calls; without it the code is a straight line.
    pub control: bool,
    /// Instructions may trap; otherwise each that could is guarded.
    pub wild: bool,
    /// Upper bound of wasm-smith's instructions.
    pub length: u8,
    /// Actions, woven in at reachable points.
    pub splices: Vec<Splice>,
    /// Chooses constants and operands.
    pub salt: u8,
}

/// Actions inside a leaf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Splice {
    /// The reachable point, modulo their number.
    pub point: u8,
    /// What to do there.
    pub actions: Vec<Action>,
}

/// A sequence of actions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The actions, in order.
    pub actions: Vec<Action>,
    /// Chooses constants and operands.
    pub salt: u8,
}

/// How a scripted task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// Returns values.
    Return,
    /// Tail-calls a task of its family.
    Tail(u8, Linkage),
    /// Throws.
    Throw(u8),
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Linkage {
    /// `call`, `return_call`
    Direct,
    /// `call_ref`, `return_call_ref`
    Ref,
    /// `call_indirect`, `return_call_indirect`
    Indirect,
}

/// An exported function without parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Its results.
    pub results: Vec<ValueType>,
    /// What it does. Each action starts with full fuel.
    pub script: Script,
}

/// A host function for logging, by its type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Parameters, the values that appear in the trace.
    pub params: Vec<ValueType>,
    /// Results.
    pub results: Vec<ValueType>,
}

/// The plan of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What the module may use.
    pub features: Features,
    /// Layout of the type section.
    pub types: TypeStyle,
    /// Fuel of each action of a call: function entries and loop iterations until everything returns defaults.
    pub fuel: u8,
    /// Tags, in the order of their clauses' indices (imported ones move to the front in the module).
    pub tags: Vec<Tag>,
    /// Families of continuations.
    pub families: Vec<Family>,
    /// Drivers.
    pub drivers: Vec<Driver>,
    /// Tasks.
    pub tasks: Vec<Task>,
    /// Imported log functions.
    pub logs: Vec<Log>,
    /// Functions that the host calls back.
    pub callbacks: Vec<Script>,
    /// A callback that is also the start function.
    pub start: Option<u8>,
    /// Exported functions, in order.
    pub calls: Vec<Call>,
}
