//! Control, calls, stack switching, references, variables, tables, memories as a whole.

macro_rules! control_ops {
    ({ $($rows:tt)* } $next:ident $($more:ident)*) => {
        $next! { { $($rows)*
            Unreachable => control::unreachable;
            Nop => control::nop;
            Check => checks::check;
            Enter => control::enter;
            Br => control::br;
            BrIf => control::br_if;
            BrUnless => control::br_unless;
            BrOnNull => control::br_on_null;
            BrOnNonNull => control::br_on_non_null;
            BrTable => control::br_table;
            Return => control::return_;
            Call => call::call;
            CallImport => call::call_import;
            CallIndirect => call::call_indirect;
            CallRef => call::call_ref;
            ReturnCall => call::return_call;
            ReturnCallIndirect => call::return_call_indirect;
            ReturnCallRef => call::return_call_ref;
            Const => parametric::const_;
            Copy => parametric::copy;
            CopyWide => parametric::copy_wide;
            CopySpan => parametric::copy_span;
            Select => parametric::select;
            SelectWide => parametric::select_wide;
            RefFunc => reference::ref_func;
            RefIsNull => reference::ref_is_null;
            RefAsNonNull => reference::ref_as_non_null;
            GlobalGet => variable::global_get;
            GlobalSet => variable::global_set;
            GlobalGetWide => variable::global_get_wide;
            GlobalSetWide => variable::global_set_wide;
            TableGet => table::table_get;
            TableSet => table::table_set;
            TableSize => table::table_size;
            TableGrow => table::table_grow;
            TableFill => table::table_fill;
            TableCopy => table::table_copy;
            TableInit => table::table_init;
            ElemDrop => table::elem_drop;
            EffectiveAddress => memory::effective_address;
            MemorySize => memory::memory_size;
            MemoryGrow => memory::memory_grow;
            MemoryFill => memory::memory_fill;
            MemoryCopy => memory::memory_copy;
            MemoryInit => memory::memory_init;
            DataDrop => memory::data_drop;
            Throw => exception::throw;
            ThrowRef => exception::throw_ref;
            ContNew => continuation::cont_new;
            ContBind => continuation::cont_bind;
            Suspend => continuation::suspend;
            Resume => continuation::resume;
            ResumeThrow => continuation::resume_throw;
            ResumeThrowRef => continuation::resume_throw_ref;
            Switch => continuation::switch;
        } $($more)* }
    };
}
