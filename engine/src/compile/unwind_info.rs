//! What the system's unwinder, and so `std::backtrace`, must know of a region of code.
//!
//! Cranelift says of each function how its frame is made; this becomes an `.eh_frame` section in memory, which is registered
//! with the unwinder while the region lives. The engine itself never unwinds this way: it walks frame pointers.

use super::debugger::{DebuggerRegistration, Symbol};
use crate::error::Error;
use cranelift_codegen::isa::unwind::UnwindInfo;
use cranelift_codegen::isa::{TargetIsa, unwind::systemv};
use gimli::LittleEndian;
use gimli::write::{Address, EhFrame, EndianVec, FrameTable};

/// How the frames of a region's functions are made: offset of each, and what Cranelift says of it.
#[derive(Default)]
pub(crate) struct Frames(Vec<(u32, systemv::UnwindInfo)>);

impl Frames {
    /// Notes a function that was compiled just now.
    pub fn add(
        &mut self,
        isa: &dyn TargetIsa,
        compiled: &cranelift_codegen::CompiledCode,
        offset: u32,
    ) {
        let info = compiled.create_unwind_info(isa);
        // A target without such information makes functions that the unwinder does not know, as without the setting.
        if let Ok(Some(UnwindInfo::SystemV(info))) = info {
            self.0.push((offset, info));
        }
    }

    /// Registers the frames of a region of `len` bytes that was mapped at `base`.
    ///
    /// # Errors
    /// The section cannot be written.
    ///
    /// # Safety
    /// The functions lie there with the code that they were noted with, until the registration is dropped.
    pub unsafe fn register(
        &self,
        isa: &dyn TargetIsa,
        base: usize,
        len: usize,
        symbols: &[Symbol],
    ) -> Result<Registration, Error> {
        let failed = |error| Error::Engine(format!("cannot describe frames: {error}"));
        let mut table = FrameTable::default();
        let cie = isa.create_systemv_cie().ok_or_else(|| {
            Error::Engine("cannot describe frames: the target has no rule for them".to_owned())
        })?;
        let cie = table.add_cie(cie);
        for (offset, info) in &self.0 {
            let address = Address::Constant(base as u64 + u64::from(*offset));
            table.add_fde(cie, info.to_fde(address));
        }
        let mut section = EhFrame(EndianVec::new(LittleEndian));
        table.write_eh_frame(&mut section).map_err(failed)?;
        let mut bytes = section.0.into_vec();
        // A length of zero ends the section.
        bytes.extend([0; 4]);
        let bytes = bytes.into_boxed_slice();
        // Some versions of the unwinder take a section without functions for a mistake of theirs, and abort.
        if !self.0.is_empty() {
            // SAFETY: a section as the unwinder expects it, at an address that does not change until it is taken back.
            unsafe { __register_frame(bytes.as_ptr()) };
        }
        Ok(Registration {
            _debugger: DebuggerRegistration::new(base, len, &bytes, symbols),
            section: (!self.0.is_empty()).then_some(bytes),
        })
    }
}

/// An `.eh_frame` section that the unwinder and debuggers know, until dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    /// `None` if there are no functions to tell of.
    section: Option<Box<[u8]>>,
    _debugger: DebuggerRegistration,
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(section) = &self.section {
            // SAFETY: registered by `Frames::register`, and taken back once.
            unsafe { __deregister_frame(section.as_ptr()) };
        }
    }
}

unsafe extern "C" {
    fn __register_frame(section: *const u8);
    fn __deregister_frame(section: *const u8);
}
