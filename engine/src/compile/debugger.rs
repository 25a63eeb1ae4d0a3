//! What a debugger must know of a region of code: gdb's interface for code that is compiled at run time.
//!
//! A debugger reads object files, not what is registered with the unwinder. So each region is described by an ELF file in memory,
//! which has its `.eh_frame` and a symbol for each function; the process keeps a list of these files, and calls a function
//! in which the debugger has a breakpoint whenever that changes. Names and layouts of both are the debugger's.

use std::ptr;
use std::sync::{Mutex, PoisonError};

/// A function of a region, for the debugger.
pub(crate) struct Symbol {
    pub name: String,
    pub offset: u32,
    pub len: u32,
}

/// A file that debuggers know, until dropped.
#[derive(Debug)]
pub(crate) struct DebuggerRegistration(*mut Entry);

// SAFETY: the entry is only touched under `LIST`'s lock, from whichever thread.
unsafe impl Send for DebuggerRegistration {}
// SAFETY: as above; a shared reference gives access to nothing.
unsafe impl Sync for DebuggerRegistration {}

/// `struct jit_code_entry`, and the file behind it.
#[repr(C)]
struct Entry {
    next: *mut Entry,
    previous: *mut Entry,
    file: *const u8,
    file_len: u64,
    bytes: Box<[u8]>,
}

/// `struct jit_descriptor`
#[repr(C)]
struct Descriptor {
    version: u32,
    action: u32,
    relevant: *mut Entry,
    first: *mut Entry,
}

const REGISTER: u32 = 1;
const UNREGISTER: u32 = 2;

#[unsafe(no_mangle)]
static mut __jit_debug_descriptor: Descriptor = Descriptor {
    version: 1,
    action: 0,
    relevant: ptr::null_mut(),
    first: ptr::null_mut(),
};

/// The debugger stops here to look at the descriptor.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn __jit_debug_register_code() {
    // SAFETY: no instructions. Keeps the function, and the stores before its calls, from being optimised away.
    unsafe { std::arch::asm!("") };
}

/// Held by whoever changes the list.
static LIST: Mutex<()> = Mutex::new(());

impl DebuggerRegistration {
    /// Describes code of `len` bytes at `base`, whose `.eh_frame` is `frames`.
    pub fn new(base: usize, len: usize, frames: &[u8], symbols: &[Symbol]) -> Self {
        let bytes = object_file(base as u64, len as u64, frames, symbols).into_boxed_slice();
        let entry = Box::into_raw(Box::new(Entry {
            next: ptr::null_mut(),
            previous: ptr::null_mut(),
            file: bytes.as_ptr(),
            file_len: bytes.len() as u64,
            bytes,
        }));
        let _lock = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        let list = &raw mut __jit_debug_descriptor;
        // SAFETY: the list is ours while the lock is held; its entries are live until their registrations go.
        unsafe {
            (*entry).next = (*list).first;
            if let Some(next) = (*entry).next.as_mut() {
                next.previous = entry;
            }
            (*list).first = entry;
            announce(list, REGISTER, entry);
        }
        DebuggerRegistration(entry)
    }
}

impl Drop for DebuggerRegistration {
    fn drop(&mut self) {
        let entry = self.0;
        let _lock = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        let list = &raw mut __jit_debug_descriptor;
        // SAFETY: as in `new`; the entry was made there and leaves the list before it is freed, once.
        unsafe {
            match (*entry).previous.as_mut() {
                Some(previous) => previous.next = (*entry).next,
                None => (*list).first = (*entry).next,
            }
            if let Some(next) = (*entry).next.as_mut() {
                next.previous = (*entry).previous;
            }
            announce(list, UNREGISTER, entry);
            (*list).relevant = ptr::null_mut();
            let entry = Box::from_raw(entry);
            debug_assert_eq!(entry.bytes.as_ptr(), entry.file);
        }
    }
}

/// # Safety
/// `list` is the descriptor, and the lock is held.
unsafe fn announce(list: *mut Descriptor, action: u32, entry: *mut Entry) {
    // SAFETY: the caller's promise.
    unsafe {
        (*list).action = action;
        (*list).relevant = entry;
    }
    __jit_debug_register_code();
}

/// An ELF file with sections `.text` (an address and a length only), `.eh_frame`, `.symtab` and the tables of their names.
fn object_file(base: u64, len: u64, frames: &[u8], symbols: &[Symbol]) -> Vec<u8> {
    const HEADER: usize = 64;
    const TEXT: u16 = 1;
    const STRINGS: u32 = 4;
    let mut names = vec![0u8];
    // The first symbol stands for none.
    let mut table = vec![0u8; 24];
    for symbol in symbols {
        table.extend((names.len() as u32).to_le_bytes());
        // A local function, of default visibility.
        table.extend([2, 0]);
        table.extend(TEXT.to_le_bytes());
        table.extend((base + u64::from(symbol.offset)).to_le_bytes());
        table.extend(u64::from(symbol.len).to_le_bytes());
        names.extend(symbol.name.bytes());
        names.push(0);
    }
    let section_names = b"\0.text\0.eh_frame\0.symtab\0.strtab\0";

    let mut file = vec![0u8; HEADER];
    let mut append = |bytes: &[u8]| {
        file.resize(file.len().next_multiple_of(8), 0);
        let at = file.len() as u64;
        file.extend(bytes);
        at
    };
    let (frames_at, table_at) = (append(frames), append(&table));
    let (names_at, section_names_at) = (append(&names), append(section_names));
    // Name, type, flags, address, offset, size, link, info, alignment, size of an entry.
    type Section = (u32, u32, u64, u64, u64, usize, u32, u32, u64, u64);
    const ALLOCATED: u64 = 2;
    const EXECUTED: u64 = 4;
    let locals = symbols.len() as u32 + 1;
    let sections: [Section; 6] = [
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        (
            1,
            8,
            ALLOCATED | EXECUTED,
            base,
            0,
            len as usize,
            0,
            0,
            16,
            0,
        ),
        (7, 1, ALLOCATED, 0, frames_at, frames.len(), 0, 0, 8, 0),
        (17, 2, 0, 0, table_at, table.len(), STRINGS, locals, 8, 24),
        (25, 3, 0, 0, names_at, names.len(), 0, 0, 1, 0),
        (
            25,
            3,
            0,
            0,
            section_names_at,
            section_names.len(),
            0,
            0,
            1,
            0,
        ),
    ];
    let mut headers = Vec::new();
    for (name, kind, flags, address, offset, size, link, info, alignment, entry) in sections {
        headers.extend(name.to_le_bytes());
        headers.extend(kind.to_le_bytes());
        for word in [flags, address, offset, size as u64] {
            headers.extend(word.to_le_bytes());
        }
        headers.extend(link.to_le_bytes());
        headers.extend(info.to_le_bytes());
        headers.extend(alignment.to_le_bytes());
        headers.extend(entry.to_le_bytes());
    }
    let headers_at = append(&headers);

    let mut header = Vec::with_capacity(HEADER);
    // 64 bits, little-endian, version 1.
    header.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    // An executable (its addresses are final) for x86-64, version 1.
    header.extend([2u16, 62].map(u16::to_le_bytes).concat());
    header.extend(1u32.to_le_bytes());
    // No entry, no program headers.
    header.extend([0, 0, headers_at].map(u64::to_le_bytes).concat());
    header.extend(0u32.to_le_bytes());
    let last = sections.len() as u16 - 1;
    let sizes = [HEADER as u16, 0, 0, 64, sections.len() as u16, last];
    header.extend(sizes.map(u16::to_le_bytes).concat());
    file[..HEADER].copy_from_slice(&header);
    file
}
