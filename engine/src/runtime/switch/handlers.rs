//! Which handler a suspension or a switch finds, looked for from the running stack outwards.

use super::super::fiber::{CANARY, ClauseKind, Fiber};
use super::super::instance::tag_of;
use super::super::layout::{VmStore, VmTag};
#[cfg(feature = "planted-bugs")]
use super::super::planted::{handler_that_stayed, tag_of_maker};
use super::super::store::StoreInner;
use crate::planted::planted;

/// Where a suspension is handled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handler {
    /// The outermost stack that is captured: the handling resume site is in its parent.
    pub captured: *mut Fiber,
    /// Index of the clause in the site's list.
    pub clause: u32,
    /// Handler lists passed over.
    pub distance: u32,
}

/// Finds the innermost clause of kind `kind` for `tag` in the running chain.
///
/// # Safety
/// `vm` is the store whose code runs.
pub(crate) unsafe fn find_handler(
    vm: &VmStore,
    tag: *const VmTag,
    kind: ClauseKind,
) -> Option<Handler> {
    let mut fiber = vm.current;
    let mut distance = 0;
    while !fiber.is_null() {
        // SAFETY: the chain consists of running stacks, whose headers are valid, whose handler lists belong to modules that
        // the store keeps, and whose `handler_vmctx` is the instance that executes the resume.
        let (list, vmctx, parent) = unsafe {
            debug_assert_eq!((*fiber).canary, CANARY);
            (&*(*fiber).handlers, (*fiber).handler_vmctx, (*fiber).parent)
        };
        let mut found = None;
        for (index, clause) in list.clauses().iter().enumerate() {
            // SAFETY: as above.
            let clause_tag = unsafe { tag_of(vmctx, clause.tag) };
            #[cfg(feature = "planted-bugs")]
            // SAFETY: as above.
            let clause_tag = unsafe { tag_of_maker(vm, fiber, clause.tag, clause_tag) };
            // SAFETY: as above.
            let same = clause_tag == tag
                || planted!(vm, TagsComparedByType) && unsafe { same_type(vm, clause_tag, tag) };
            if same && clause.kind == kind {
                found = Some(index as u32);
                if !planted!(vm, LastClauseTaken) {
                    break;
                }
            }
            if planted!(vm, FirstClauseOnly) {
                break;
            }
        }
        #[cfg(feature = "planted-bugs")]
        if found.is_none() && kind == ClauseKind::Suspend && planted!(vm, HandlersStayActive) {
            // SAFETY: as above.
            found = unsafe { handler_that_stayed(vm, fiber, tag) };
        }
        if let Some(clause) = found {
            return Some(Handler {
                captured: fiber,
                clause,
                distance,
            });
        }
        fiber = parent;
        distance += 1;
    }
    None
}

/// Whether two tags of a store have the same type.
///
/// # Safety
/// Both are tags of the store that `vm` belongs to.
pub(in crate::runtime) unsafe fn same_type(
    vm: &VmStore,
    one: *const VmTag,
    other: *const VmTag,
) -> bool {
    // SAFETY: the caller's promise; a `VmStore` is the first field of its `StoreInner`.
    unsafe {
        let store = &*(&raw const *vm).cast::<StoreInner>();
        store.tag(one).type_id == store.tag(other).type_id
    }
}
