//! Signals that are not ours go to whoever was there before. Each case is a process of its own, because a disposition belongs to
//! the process: this test's executable, told by a variable what to be.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use switchback_engine::{Config, Engine, Error, Extern, Func, FuncType, Instance, Module, Store};

const VARIABLE: &str = "SWITCHBACK_TEST_SIGNALS";

/// Runs the test `name` as a child process that plays `role`.
fn child(name: &str, role: &str) -> Output {
    Command::new(std::env::current_exe().expect("a test has an executable"))
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(VARIABLE, role)
        .output()
        .expect("the test starts itself")
}

fn role() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

static CALLS: AtomicU32 = AtomicU32::new(0);
static BLOCKED: AtomicU32 = AtomicU32::new(0);

/// Counts, notes which signals are blocked, and lets the thread go on behind a fault of `fault`.
extern "C" fn previous(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    CALLS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: what the kernel passes to a handler with SA_SIGINFO; an uninitialised set is written before it is read.
    unsafe {
        let mut mask = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut mask);
        let blocked =
            [signal, libc::SIGUSR1, libc::SIGUSR2].map(|s| libc::sigismember(&mask, s) as u32);
        BLOCKED.store(
            blocked[0] | blocked[1] << 1 | blocked[2] << 2,
            Ordering::Relaxed,
        );
        if (*info).si_code > 0 {
            let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
            // `fault` is `mov byte ptr [rdi], 0`: three bytes.
            registers[libc::REG_RIP as usize] += 3;
        }
    }
}

/// Writes to the address 16 by an instruction of three bytes.
fn fault() {
    // SAFETY: never completes the store: the handler skips it, or the process ends.
    unsafe { std::arch::asm!("mov byte ptr [rdi], 0", in("rdi") 16usize) };
}

fn install(handler: libc::sighandler_t, flags: libc::c_int) {
    // SAFETY: a valid action; `handler` is a disposition or has the signature that `flags` ask for.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaddset(&mut action.sa_mask, libc::SIGUSR1);
        assert_eq!(
            libc::sigaction(libc::SIGSEGV, &action, std::ptr::null_mut()),
            0
        );
    }
}

fn send() {
    // SAFETY: sends a signal to this thread.
    assert_eq!(unsafe { libc::raise(libc::SIGSEGV) }, 0);
}

/// A trap of ours, by a signal: the handler must still be in place.
fn traps() {
    let engine = Engine::new(&Config::new()).unwrap();
    let text = r#"(module (func (export "run") (drop (i32.div_u (i32.const 1) (i32.const 0)))) (memory 1)
        (func (export "load") (drop (i32.load (i32.const -1)))))"#;
    let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    for name in ["run", "load"] {
        let func = instance.get_func(&store, name).unwrap();
        assert!(matches!(
            func.call(&mut store, &[], &mut []),
            Err(Error::Trap(_))
        ));
    }
}

/// Whether the handler that is installed for SIGSEGV is still the engine's, which was installed after `before`.
fn disposition() -> libc::sighandler_t {
    // SAFETY: asks only.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGSEGV, std::ptr::null(), &mut action);
        action.sa_sigaction
    }
}

#[test]
fn faults_and_sent_signals_reach_the_previous_handler() {
    const NAME: &str = "faults_and_sent_signals_reach_the_previous_handler";
    let Some(role) = role() else {
        for role in ["plain", "nodefer"] {
            let output = child(NAME, role);
            assert!(output.status.success(), "{role}: {output:?}");
        }
        return;
    };
    let nodefer = if role == "nodefer" {
        libc::SA_NODEFER
    } else {
        0
    };
    install(previous as *const () as usize, libc::SA_SIGINFO | nodefer);
    traps();
    assert_eq!(CALLS.load(Ordering::Relaxed), 0);
    for round in 1..=3 {
        fault();
        assert_eq!(CALLS.load(Ordering::Relaxed), 2 * round - 1);
        send();
        assert_eq!(CALLS.load(Ordering::Relaxed), 2 * round);
        // The mask that was asked for holds: SIGUSR1, and the signal itself unless SA_NODEFER says otherwise.
        let expected = if nodefer == 0 { 0b011 } else { 0b010 };
        assert_eq!(BLOCKED.load(Ordering::Relaxed), expected);
        traps();
    }
}

#[test]
fn a_sent_signal_that_was_ignored_is_ignored() {
    const NAME: &str = "a_sent_signal_that_was_ignored_is_ignored";
    if role().is_none() {
        let output = child(NAME, "ignore");
        assert!(output.status.success(), "{output:?}");
        return;
    }
    install(libc::SIG_IGN, 0);
    traps();
    let ours = disposition();
    for _ in 0..3 {
        send();
        assert_eq!(disposition(), ours, "the engine's handler stays in place");
        traps();
    }
}

#[test]
fn a_fault_that_was_ignored_ends_the_process() {
    const NAME: &str = "a_fault_that_was_ignored_ends_the_process";
    if role().is_none() {
        let output = child(NAME, "ignore");
        assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{output:?}");
        return;
    }
    install(libc::SIG_IGN, 0);
    traps();
    fault();
}

#[test]
fn a_handler_for_one_signal_gets_one() {
    const NAME: &str = "a_handler_for_one_signal_gets_one";
    if role().is_none() {
        let output = child(NAME, "once");
        assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("the first was handled"));
        return;
    }
    install(
        previous as *const () as usize,
        libc::SA_SIGINFO | libc::SA_RESETHAND,
    );
    traps();
    fault();
    assert_eq!(CALLS.load(Ordering::Relaxed), 1);
    println!("the first was handled");
    traps();
    fault();
    unreachable!("the second fault ends the process");
}

#[test]
fn a_host_function_that_overflows_a_continuations_stack_is_named() {
    const NAME: &str = "a_host_function_that_overflows_a_continuations_stack_is_named";
    if role().is_none() {
        let output = child(NAME, "overflow");
        assert!(output.status.signal().is_some(), "{output:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            stderr.matches("Config::host_stack_headroom").count(),
            1,
            "{stderr}"
        );
        return;
    }
    #[inline(never)]
    fn deep(seed: u8) -> u8 {
        let mut bytes = [seed; 2 << 20];
        std::hint::black_box(&mut bytes)[seed as usize]
    }
    let engine = Engine::new(&Config::new()).unwrap();
    let mut store = Store::new(&engine, ());
    let host = Func::new(&mut store, FuncType::new([], []), |_, _, _| {
        std::hint::black_box(deep(std::hint::black_box(7)));
        Ok(())
    });
    let text = r#"(module (import "" "" (func $host)) (type $f (func)) (type $k (cont $f))
        (func $body (type $f) (call $host)) (elem declare func $body)
        (func (export "run") (resume $k (cont.new $k (ref.func $body)))))"#;
    let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
    let instance = Instance::new(&mut store, &module, &[Extern::Func(host)]).unwrap();
    let run = instance.get_func(&store, "run").unwrap();
    let _ = run.call(&mut store, &[], &mut []);
}
