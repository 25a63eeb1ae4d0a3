//! What the adapters of this workspace's own engines share.
//!
//! Both engines define their events themselves, since they share no code, but with
//! the same variants and fields; so one macro translates for both. An engine from
//! elsewhere translates in its own way.

/// Defines `fn event(theirs: $Event) -> Event`, given their types and the
/// translations of values, traps and locations.
macro_rules! define_event {
    ($engine:ident, $value:ident, $trap:ident, $location:ident) => {
        fn event(theirs: $engine::Event) -> crate::observe::Event {
            use crate::observe::EventKind as To;
            use $engine::EventKind as From;

            let list = |values: Vec<_>| values.into_iter().map($value).collect();
            let kind = match theirs.kind {
                From::New { cont, function } => To::New { cont, function },
                From::Bind { from, to, values } => To::Bind {
                    from,
                    to,
                    values: list(values),
                },
                From::Resume {
                    cont,
                    values,
                    depth,
                } => To::Resume {
                    cont,
                    values: list(values),
                    depth,
                },
                From::ResumeThrow {
                    cont,
                    tag,
                    values,
                    depth,
                } => To::ResumeThrow {
                    cont,
                    tag,
                    values: list(values),
                    depth,
                },
                From::Suspend {
                    tag,
                    values,
                    cont,
                    distance,
                    clause,
                } => To::Suspend {
                    tag,
                    values: list(values),
                    cont,
                    distance,
                    clause,
                },
                From::Switch {
                    tag,
                    target,
                    values,
                    cont,
                    distance,
                } => To::Switch {
                    tag,
                    target,
                    values: list(values),
                    cont,
                    distance,
                },
                From::Unhandled { tag, values } => To::Unhandled {
                    tag,
                    values: list(values),
                },
                From::Return { values, depth } => To::Return {
                    values: list(values),
                    depth,
                },
                From::Unwind { tag } => To::Unwind { tag },
                From::Throw { tag, values } => To::Throw {
                    tag,
                    values: list(values),
                },
                From::Catch { tag, clause } => To::Catch { tag, clause },
                From::HostCall { function, values } => To::HostCall {
                    function,
                    values: list(values),
                },
                From::HostReturn { function, values } => To::HostReturn {
                    function,
                    values: list(values),
                },
                From::Trap { kind } => To::Trap { kind: $trap(kind) },
            };
            crate::observe::Event {
                kind,
                at: theirs.at.map($location),
            }
        }
    };
}
pub(super) use define_event;
