//! Which Wasm functions were active when an instruction trapped.
//!
//! The frames are walked at once, in the signal handler or in the function that explicit checks call, because the way out of the
//! activation overwrites those that lie on the host's own stack. Nothing is allocated then: return addresses go into a buffer
//! of the store. What they mean is looked up once Rust runs again.

use super::store::StoreInner;
use crate::error::{Backtrace, FrameInfo};
use cranelift_codegen::ir::TrapCode;

/// How many return addresses are kept: the innermost ones.
const CAPACITY: usize = 64;

/// The instruction that trapped last, and what was active.
pub(crate) struct TrapRecord {
    pub pc: usize,
    /// The reason, when an explicit check found it; otherwise the tables tell.
    pub code: Option<TrapCode>,
    return_addresses: [usize; CAPACITY],
    len: usize,
    truncated: bool,
}

impl TrapRecord {
    pub fn new() -> Self {
        TrapRecord {
            pc: 0,
            code: None,
            return_addresses: [0; CAPACITY],
            len: 0,
            truncated: false,
        }
    }

    /// Notes a trap at `pc` in the function whose frame is at `fp`, under the host's entry whose frame is at `entry`. May be called
    /// by a signal handler.
    ///
    /// # Safety
    /// Compiled code of the innermost activation, which is `entry`'s, executes the instruction at `pc`, and `fp` is its frame
    /// pointer.
    pub unsafe fn note(&mut self, pc: usize, code: Option<TrapCode>, mut fp: usize, entry: usize) {
        (self.pc, self.code, self.len, self.truncated) = (pc, code, 0, false);
        // A function that traps before it has a frame is called by the entry itself.
        while fp != entry {
            // SAFETY: from a function of compiled code to the entry of its activation, every frame keeps its caller's frame
            // pointer and its return address at its frame pointer; the base of a continuation's stack leads into its resumer.
            let (caller, return_address) =
                unsafe { (*(fp as *const usize), *((fp + 8) as *const usize)) };
            if caller == entry {
                return;
            }
            let Some(slot) = self.return_addresses.get_mut(self.len) else {
                self.truncated = true;
                return;
            };
            *slot = return_address;
            self.len += 1;
            fp = caller;
        }
    }
}

impl StoreInner {
    /// The functions that were active at the last trap, through all stacks out to the host's entry.
    pub(crate) fn trap_backtrace(&self) -> Backtrace {
        let record = &self.trap;
        // A return address may belong to what stands behind the call's function already.
        let callers = record.return_addresses[..record.len]
            .iter()
            .map(|address| address - 1);
        let frames = std::iter::once(record.pc)
            .chain(callers)
            .filter_map(|pc| {
                let (module, location) = self.location_at(pc)?;
                Some(FrameInfo {
                    location,
                    name: module.info().function_name(location.function),
                })
            })
            .collect();
        Backtrace::new(frames, record.truncated)
    }
}
