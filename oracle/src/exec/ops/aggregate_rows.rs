//! Aggregates and casts.

macro_rules! aggregate_ops {
    ({ $($rows:tt)* } $next:ident $($more:ident)*) => {
        $next! { { $($rows)*
            StructNew => aggregate::struct_new;
            StructNewDefault => aggregate::struct_new_default;
            StructGet => aggregate::struct_get;
            StructGetWide => aggregate::struct_get_wide;
            StructGetS8 => aggregate::struct_get_s8;
            StructGetS16 => aggregate::struct_get_s16;
            StructSet => aggregate::struct_set;
            ArrayNew => aggregate::array_new;
            ArrayNewDefault => aggregate::array_new_default;
            ArrayNewFixed => aggregate::array_new_fixed;
            ArrayNewData => aggregate::array_new_data;
            ArrayNewElem => aggregate::array_new_elem;
            ArrayGet => aggregate::array_get;
            ArrayGetWide => aggregate::array_get_wide;
            ArrayGetS8 => aggregate::array_get_s8;
            ArrayGetS16 => aggregate::array_get_s16;
            ArraySet => aggregate::array_set;
            ArrayLen => aggregate::array_len;
            ArrayFill => aggregate::array_fill;
            ArrayCopy => aggregate::array_copy;
            ArrayInitData => aggregate::array_init_data;
            ArrayInitElem => aggregate::array_init_elem;
            RefEq => cast::ref_eq;
            RefTest => cast::ref_test;
            RefCast => cast::ref_cast;
            BrOnCast => cast::br_on_cast;
            BrOnCastFail => cast::br_on_cast_fail;
            RefI31 => cast::ref_i31;
            I31GetS => cast::i31_get_s;
            I31GetU => cast::i31_get_u;
        } $($more)* }
    };
}
