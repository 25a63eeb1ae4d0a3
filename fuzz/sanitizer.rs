// What all targets include: how AddressSanitizer is set up, unless ASAN_OPTIONS says otherwise.

/// A stack that is freed while it is suspended never leaves by a switch of its own, and only such a switch frees what
/// AddressSanitizer keeps for it to find uses of variables after their function has returned: a megabyte or two for each that ran
/// Rust code, until the target is out of memory. So it does not look for these.
#[unsafe(no_mangle)]
pub extern "C" fn __asan_default_options() -> *const std::ffi::c_char {
    c"detect_stack_use_after_return=0".as_ptr()
}
