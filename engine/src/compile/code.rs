//! Code regions: from Cranelift's buffers to executable memory, with the tables that traps and exceptions are looked up in.
//!
//! A region is written once and then made executable, never both at a time.

use super::debugger::Symbol;
use super::unwind_info::{Frames, Registration};
use crate::config::Config;
use crate::error::Error;
use crate::runtime::unwind::CallSite;
use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::ir::{ExternalName, Function, TrapCode};
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::{
    CodegenError, Context, FinalizedMachExceptionHandler, FinalizedRelocTarget,
    control::ControlPlane,
};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::ffi::c_void;
use std::ptr;

/// Executable memory.
#[derive(Debug)]
pub(crate) struct CodeMemory {
    base: *mut c_void,
    len: usize,
}

// SAFETY: the mapping is never written after `new`, and freed once, by its owner.
unsafe impl Send for CodeMemory {}
// SAFETY: as above; shared readers only execute it.
unsafe impl Sync for CodeMemory {}

impl CodeMemory {
    /// Copies `code` into a mapping of its own and makes that executable.
    pub fn new(code: &[u8]) -> Result<Self, Error> {
        let len = code.len().max(1);
        let failed = |error| Error::Engine(format!("cannot map {len} bytes of code: {error}"));
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing that exists.
        let base = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        }
        .map_err(failed)?;
        let memory = CodeMemory { base, len };
        // SAFETY: the mapping is at least `code.len()` bytes, writable, and known to nobody else yet.
        unsafe {
            ptr::copy_nonoverlapping(code.as_ptr(), base.cast::<u8>(), code.len());
            mprotect(base, len, MprotectFlags::READ | MprotectFlags::EXEC)
        }
        .map_err(failed)?;
        Ok(memory)
    }

    /// The address of the code at `offset`.
    pub fn address(&self, offset: u32) -> *const u8 {
        debug_assert!((offset as usize) < self.len);
        self.base.cast::<u8>().wrapping_add(offset as usize)
    }

    /// The offset of an address, if it lies in this region.
    pub fn offset(&self, address: usize) -> Option<u32> {
        let offset = address.wrapping_sub(self.base as usize);
        (offset < self.len).then_some(offset as u32)
    }
}

impl Drop for CodeMemory {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length; whoever owned the region has stopped executing it. An error could only
        // mean that it is not mapped.
        let _ = unsafe { munmap(self.base, self.len) };
    }
}

/// A function of a region.
#[derive(Clone, Copy, Debug)]
struct FunctionRange {
    start: u32,
    end: u32,
    /// Index of the Wasm function; `None` for trampolines and stubs.
    index: Option<u32>,
}

/// A call of one function of the region by another.
#[derive(Clone, Copy, Debug)]
struct Link {
    at: u32,
    target: LinkTarget,
    addend: i64,
}

#[derive(Clone, Copy, Debug)]
enum LinkTarget {
    /// A Wasm function, by index.
    Function(u32),
    /// What stands at this offset.
    Offset(u32),
}

/// Namespaces of the names that compiled code calls functions of its region by.
pub(crate) mod namespace {
    /// Wasm functions, by index.
    pub const FUNCTION: u32 = 0;
    /// Offsets in the region.
    pub const OFFSET: u32 = 1;
}

/// A function that was added to a region.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Added {
    pub offset: u32,
    /// Bytes that its frame takes below the saved frame pointer.
    pub frame_size: u32,
}

/// Code and tables under construction.
#[derive(Default)]
pub(crate) struct CodeBuilder {
    bytes: Vec<u8>,
    links: Vec<Link>,
    functions: Vec<FunctionRange>,
    traps: Vec<(u32, TrapCode)>,
    source_locations: Vec<(u32, u32)>,
    call_sites: Vec<CallSite>,
    /// Where the system's unwinder is to know the region.
    frames: Option<Frames>,
}

/// Cranelift's alignment of functions on x86-64.
const FUNCTION_ALIGNMENT: usize = 16;

/// Calls inside a region are relative, by 32 bits with a sign.
const LARGEST_REGION: usize = i32::MAX as usize;

impl CodeBuilder {
    /// An empty region for code of an engine with these settings.
    pub fn new(config: &Config) -> Self {
        CodeBuilder {
            frames: config.native_unwind_info.then(Frames::default),
            ..CodeBuilder::default()
        }
    }

    /// Compiles the function in `context` and appends it. `index` is the Wasm function that it is.
    ///
    /// # Errors
    /// The function exceeds a limit of Cranelift's, or the region would exceed 2 GiB.
    ///
    /// # Panics
    /// Cranelift refuses the function for another reason, which is a bug of the translation.
    pub fn add(
        &mut self,
        isa: &dyn TargetIsa,
        context: &mut Context,
        index: Option<u32>,
    ) -> Result<Added, CodegenError> {
        if let Err(error) = context.compile(isa, &mut ControlPlane::default()) {
            return match error.inner {
                limit @ (CodegenError::ImplLimitExceeded | CodegenError::CodeTooLarge) => {
                    Err(limit)
                }
                bug => panic!(
                    "Cranelift refuses a function: {bug:?}\n{}",
                    error.func.display()
                ),
            };
        }
        let compiled = context.compiled_code().expect("compiled just now");
        let padding = self.bytes.len().next_multiple_of(FUNCTION_ALIGNMENT) - self.bytes.len();
        self.bytes.extend(std::iter::repeat_n(0xcc, padding));
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(compiled.code_buffer());
        if self.bytes.len() > LARGEST_REGION {
            return Err(CodegenError::CodeTooLarge);
        }
        for reloc in compiled.buffer.relocs() {
            self.links.push(link(&context.func, start, reloc));
        }
        for trap in compiled.buffer.traps() {
            self.traps.push((start + trap.offset, trap.code));
        }
        for location in compiled.buffer.get_srclocs_sorted() {
            self.source_locations
                .push((start + location.start, location.loc.bits()));
        }
        for site in compiled.buffer.call_sites() {
            if let [FinalizedMachExceptionHandler::Default(handler)] = *site.exception_handlers {
                self.call_sites.push(CallSite {
                    return_address: start + site.ret_addr,
                    frame_size: site.frame_offset.expect("x86-64 knows its frames"),
                    handler: start + handler,
                });
            } else {
                assert!(
                    site.exception_handlers.is_empty(),
                    "handlers are catch-all landing pads"
                );
            }
        }
        self.functions.push(FunctionRange {
            start,
            end: self.bytes.len() as u32,
            index,
        });
        if let Some(frames) = &mut self.frames {
            frames.add(isa, compiled, start);
        }
        let frame = compiled.buffer.frame_layout();
        Ok(Added {
            offset: start,
            frame_size: frame.expect("functions have a frame").frame_to_fp_offset,
        })
    }

    /// Links the calls inside the region (`resolve` maps a Wasm function's index to its offset) and maps it.
    pub fn finish(
        mut self,
        isa: &dyn TargetIsa,
        resolve: impl Fn(u32) -> u32,
    ) -> Result<Code, Error> {
        for link in &self.links {
            let at = link.at as usize;
            let target = match link.target {
                LinkTarget::Function(index) => resolve(index),
                LinkTarget::Offset(offset) => offset,
            };
            let distance = i64::from(target) + link.addend - i64::from(link.at);
            let distance = i32::try_from(distance).expect("no region exceeds LARGEST_REGION");
            self.bytes[at..at + 4].copy_from_slice(&distance.to_le_bytes());
        }
        self.traps
            .retain(|(_, code)| *code != super::trap_codes::internal_error());
        debug_assert!(self.traps.is_sorted_by_key(|trap| trap.0));
        debug_assert!(
            self.source_locations
                .is_sorted_by_key(|location| location.0)
        );
        debug_assert!(self.call_sites.is_sorted_by_key(|site| site.return_address));
        let memory = CodeMemory::new(&self.bytes)?;
        let base = memory.address(0) as usize;
        let frames = self.frames.map(|frames| {
            // SAFETY: the region was filled with this code just now, and `Code` drops the registration before it.
            unsafe { frames.register(isa, base, self.bytes.len(), &symbols(&self.functions)) }
        });
        Ok(Code {
            _frames: frames.transpose()?,
            memory,
            size: self.bytes.len(),
            functions: self.functions.into(),
            traps: self.traps.into(),
            source_locations: self.source_locations.into(),
            call_sites: self.call_sites.into(),
        })
    }
}

/// What debuggers call the functions.
fn symbols(functions: &[FunctionRange]) -> Vec<Symbol> {
    let symbol = |range: &FunctionRange| Symbol {
        name: match range.index {
            Some(index) => format!("wasm-function[{index}]"),
            None => "wasm-stub".to_owned(),
        },
        offset: range.start,
        len: range.end - range.start,
    };
    functions.iter().map(symbol).collect()
}

fn link(func: &Function, start: u32, reloc: &cranelift_codegen::FinalizedMachReloc) -> Link {
    let FinalizedRelocTarget::ExternalName(ExternalName::User(name)) = &reloc.target else {
        panic!("compiled code refers to {:?}", reloc.target);
    };
    assert_eq!(
        reloc.kind,
        Reloc::X86CallPCRel4,
        "calls inside a region are relative"
    );
    let name = &func.params.user_named_funcs()[*name];
    let target = match name.namespace {
        namespace::FUNCTION => LinkTarget::Function(name.index),
        namespace::OFFSET => LinkTarget::Offset(name.index),
        other => panic!("compiled code refers to namespace {other}"),
    };
    Link {
        at: start + reloc.offset,
        target,
        addend: reloc.addend,
    }
}

/// A finished region with its tables.
#[derive(Debug)]
pub(crate) struct Code {
    /// Before the memory that it describes, because fields are dropped in this order.
    _frames: Option<Registration>,
    pub memory: CodeMemory,
    /// Bytes of machine code.
    pub size: usize,
    functions: Box<[FunctionRange]>,
    traps: Box<[(u32, TrapCode)]>,
    source_locations: Box<[(u32, u32)]>,
    call_sites: Box<[CallSite]>,
}

impl Code {
    /// The trap code of the instruction at `offset`, if it may trap.
    pub fn trap_at(&self, offset: u32) -> Option<TrapCode> {
        let index = self
            .traps
            .binary_search_by_key(&offset, |trap| trap.0)
            .ok()?;
        Some(self.traps[index].1)
    }

    /// The Wasm function whose code contains `offset`, and the module offset of the instruction that it was compiled from.
    pub fn location_at(&self, offset: u32) -> Option<crate::error::Location> {
        let at = self
            .functions
            .partition_point(|f| f.start <= offset)
            .checked_sub(1)?;
        let range = self.functions[at];
        let function = range.index.filter(|_| offset < range.end)?;
        let at = self
            .source_locations
            .partition_point(|l| l.0 <= offset)
            .checked_sub(1)?;
        let (start, source) = self.source_locations[at];
        (start >= range.start && source != !0).then_some(crate::error::Location {
            function,
            offset: source,
        })
    }

    /// The call with this return address, if it has a handler.
    pub fn call_site(&self, return_address: u32) -> Option<CallSite> {
        let index = self
            .call_sites
            .binary_search_by_key(&return_address, |site| site.return_address)
            .ok()?;
        Some(self.call_sites[index])
    }
}
