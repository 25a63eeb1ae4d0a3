//! Loads and stores.

macro_rules! access_ops {
    ({ $($rows:tt)* } $next:ident $($more:ident)*) => {
        $next! { { $($rows)*
            I32Load => memory::i32_load;
            I32Load8S => memory::i32_load8_s;
            I32Load8U => memory::i32_load8_u;
            I32Load16S => memory::i32_load16_s;
            I32Load16U => memory::i32_load16_u;
            I64Load => memory::i64_load;
            I64Load8S => memory::i64_load8_s;
            I64Load8U => memory::i64_load8_u;
            I64Load16S => memory::i64_load16_s;
            I64Load16U => memory::i64_load16_u;
            I64Load32S => memory::i64_load32_s;
            I64Load32U => memory::i64_load32_u;
            F32Load => memory::f32_load;
            F64Load => memory::f64_load;
            I32Store => memory::i32_store;
            I32Store8 => memory::i32_store8;
            I32Store16 => memory::i32_store16;
            I64Store => memory::i64_store;
            I64Store8 => memory::i64_store8;
            I64Store16 => memory::i64_store16;
            I64Store32 => memory::i64_store32;
            F32Store => memory::f32_store;
            F64Store => memory::f64_store;
        } $($more)* }
    };
}
