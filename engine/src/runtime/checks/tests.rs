use super::super::layout::VmStore;
use super::super::stack_cache::StackCache;
use super::super::stacks::PAGE;
use super::*;
use crate::Config;
use std::ptr;

/// A pool with a chain of two running stacks and a captured continuation of two.
struct Stacks {
    pool: StackPool,
    outer: *mut Fiber,
    inner: *mut Fiber,
    named: *mut Fiber,
    innermost: *mut Fiber,
    /// On `inner`.
    sp: usize,
}

impl Stacks {
    fn new() -> Stacks {
        let mut vm = VmStore::new(&Config::new());
        let mut pool = StackPool::new(64 * PAGE, 16 * PAGE, 10, StackCache::new(0));
        let mut make = |state: State| {
            let fiber = pool.allocate(&mut vm).expect("there is room");
            // SAFETY: the pool hands out valid headers.
            unsafe {
                (*fiber).state = state;
                (*fiber).handlers = ptr::dangling();
            }
            fiber
        };
        let (outer, inner) = (make(State::Running), make(State::Running));
        let (named, innermost) = (make(State::Suspended), make(State::Suspended));
        // SAFETY: as above.
        unsafe {
            (*inner).parent = outer;
            (*named).innermost = innermost;
            (*innermost).parent = named;
            (*named).context.sp = innermost as usize - 256;
            (*named).context.ip = 1;
            (*named).buffer = (innermost as usize - 128) as *mut ValRaw;
        }
        Stacks {
            pool,
            outer,
            inner,
            named,
            innermost,
            sp: inner as usize - 512,
        }
    }

    fn check(&self) {
        running(&self.pool, self.inner, ptr::null_mut(), self.sp);
        captured(&self.pool, self.named, 8);
    }
}

/// Whether the check fails, with a message that contains `message`, after `change`.
fn fails(message: &str, change: impl FnOnce(&mut Stacks)) {
    let mut stacks = Stacks::new();
    stacks.check();
    change(&mut stacks);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stacks.check()));
    let panic = result.expect_err("the check fails");
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said
        .or(panic.downcast_ref::<&str>().copied())
        .expect("a message");
    assert!(said.contains(message), "{said}");
}

/// As [`fails`], after a change to one of the headers. `change` also gets the addresses of all of them.
fn damage(
    message: &str,
    header: impl FnOnce(&Stacks) -> *mut Fiber,
    change: impl FnOnce(&mut Fiber, &Stacks),
) {
    fails(message, |stacks| {
        let header = header(stacks);
        // SAFETY: the stacks of `Stacks` have valid headers, and nothing else refers to one meanwhile.
        let header = unsafe { &mut *header };
        change(header, stacks);
    });
}

#[test]
fn each_kind_of_damage_is_seen() {
    damage("was overwritten", |s| s.outer, |f, _| f.canary = 0);
    damage(
        "was overwritten",
        |s| s.innermost,
        |f, _| f.canary_above = 0,
    );
    damage(
        "should be one of",
        |s| s.outer,
        |f, _| f.state = State::Free,
    );
    damage(
        "should be one of",
        |s| s.innermost,
        |f, _| f.state = State::Running,
    );
    damage(
        "should be one of",
        |s| s.named,
        |f, _| f.state = State::Running,
    );
    damage("circle", |s| s.outer, |f, s| f.parent = s.inner);
    damage(
        "does not lead back",
        |s| s.innermost,
        |f, s| f.parent = s.innermost,
    );
    damage(
        "not the header",
        |s| s.inner,
        |f, s| f.parent = s.outer.wrapping_byte_add(8),
    );
    damage(
        "no handler list",
        |s| s.inner,
        |f, _| f.handlers = ptr::null(),
    );
    damage(
        "would go on at sp",
        |s| s.named,
        |f, s| f.context.sp = s.named as usize - 256,
    );
    damage("nowhere", |s| s.named, |f, _| f.context.ip = 0);
    damage(
        "do not fit",
        |s| s.named,
        |f, s| f.buffer = s.innermost.cast::<ValRaw>().wrapping_sub(7),
    );
    fails("not on the stack", |s| s.sp = s.outer as usize - 512);
}

#[test]
fn the_hosts_stack_is_none_of_the_pools() {
    let stacks = Stacks::new();
    let local = 0;
    let here = &raw const local as usize;
    running(&stacks.pool, ptr::null_mut(), ptr::null_mut(), here);
    running(&stacks.pool, ptr::null_mut(), stacks.inner, stacks.sp);
    for (home, sp) in [
        (ptr::null_mut(), stacks.sp),
        (stacks.inner, here),
        (stacks.outer, stacks.sp),
    ] {
        let check = || running(&stacks.pool, ptr::null_mut(), home, sp);
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_err());
    }
}

#[test]
fn values_of_freed_stacks_are_poisoned() {
    let stacks = Stacks::new();
    // SAFETY: the slots lie below the header of a stack on which nothing runs.
    unsafe {
        let values = stacks.inner.cast::<ValRaw>().sub(3);
        values.write_bytes(0, 3);
        (*stacks.inner).values = values;
        poison_values(stacks.inner);
        for index in 0..3 {
            assert_eq!((*values.add(index)).lo.to_le_bytes(), [POISON; 8]);
            assert_eq!((*values.add(index)).hi.to_le_bytes(), [POISON; 8]);
        }
        assert_eq!((*stacks.inner).canary, CANARY);
        poison_values(stacks.outer);
    }
}
