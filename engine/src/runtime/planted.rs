//! The runtime's side of planted bugs that are more than a condition. Without the feature `planted-bugs`, nothing of it is called.

use super::fiber::{ClauseKind, Fiber, GENERATION, Notes};
use super::instance::{instance_of, tag_of};
use super::layout::{ValRaw, VmStore, VmTag};
use super::store::StoreInner;
use super::switch::{abandon_current, same_type, stack_left};
use super::unwind::{Target, returned};
use crate::planted::planted;
use std::ffi::c_void;

/// A stack is in use again, for a continuation that code of the instance `maker` makes.
pub(crate) fn fresh(fiber: &mut Fiber, maker: *mut c_void) {
    fiber.planted = Notes {
        maker,
        ..Notes::NONE
    };
}

/// The tag that a clause of `fiber`'s handlers names by `index`, which is `tag`: with the bug, by its index in another instance.
///
/// # Safety
/// `fiber` is a stack of the running chain, and `tag` is one of the store's.
pub(crate) unsafe fn tag_of_maker(
    vm: &VmStore,
    fiber: *mut Fiber,
    index: u32,
    tag: *const VmTag,
) -> *const VmTag {
    if !planted!(vm, TagsOfMaker) {
        return tag;
    }
    // SAFETY: the caller's promise; a stack of the chain was made by code of an instance, which lives as long as the store.
    unsafe {
        let maker = (*fiber).planted.maker;
        if index as usize >= (*instance_of(maker)).info().tags.len() {
            return std::ptr::null();
        }
        let other = tag_of(maker, index);
        // The clause's label takes values of the tag's type.
        if same_type(vm, other, tag) {
            other
        } else {
            std::ptr::null()
        }
    }
}

/// The resume that had started or resumed `fiber` is over: the stack that executed it goes on under its handlers.
///
/// # Safety
/// `fiber` is the running stack.
pub(crate) unsafe fn resume_is_over(vm: &VmStore, fiber: *mut Fiber) {
    if planted!(vm, HandlersStayActive) {
        // SAFETY: the caller's promise; running stacks are linked outwards.
        unsafe {
            let over = ((*fiber).handlers, (*fiber).handler_vmctx);
            if let Some(parent) = (*fiber).parent.as_mut() {
                parent.planted.over = Some(over);
            }
        }
    }
}

/// The clause by which `fiber` takes a suspension that none of its clauses handles, because a resume that is over would have.
///
/// # Safety
/// `fiber` is a stack of the running chain, and `tag` is one of the store's.
pub(crate) unsafe fn handler_that_stayed(
    vm: &VmStore,
    fiber: *mut Fiber,
    tag: *const VmTag,
) -> Option<u32> {
    // SAFETY: the caller's promise; handler lists belong to modules that the store keeps.
    unsafe {
        let (over, vmctx) = (*fiber).planted.over?;
        let mut clauses = (*over).clauses().iter();
        clauses.find(|clause| {
            clause.kind == ClauseKind::Suspend && tag_of(vmctx, clause.tag) == tag
        })?;
        // The label must take the same values.
        let (own, vmctx) = (&*(*fiber).handlers, (*fiber).handler_vmctx);
        let mut clauses = own.clauses().iter();
        let taken = clauses.position(|clause| {
            clause.kind == ClauseKind::Suspend && same_type(vm, tag_of(vmctx, clause.tag), tag)
        });
        taken.map(|index| index as u32)
    }
}

/// `fiber` is resumed by a switch.
pub(crate) fn switched_to(fiber: &mut Fiber) {
    fiber.planted.switched_to = true;
}

/// A continuation is about to be captured: its reference may be an old one again.
pub(crate) fn captured(vm: &VmStore, outermost: &mut Fiber) {
    outermost.planted.over = None;
    if planted!(vm, SwitchKeepsReference) && outermost.planted.switched_to {
        outermost.planted.switched_to = false;
        outermost.word -= GENERATION;
    }
}

/// Ends the running continuation as if its function had returned zeroes.
///
/// # Safety
/// A continuation's stack runs, and its function has ended.
pub(crate) unsafe fn return_zeroes(store: &mut StoreInner) -> *const Target {
    // SAFETY: the running stack has a valid header, and its resumer has room for the results.
    unsafe {
        let header = &*store.vm.current;
        for index in 0..header.num_results as usize {
            header.results.add(index).write(ValRaw::ZERO);
        }
        let context = header.context;
        abandon_current(store);
        store.target = returned(context);
    }
    stack_left(store);
    &raw const store.target
}
