;; wasmi 2.0.0 keeps a local on the operand stack by its name until the local is set. Where that happens inside a block with
;; parameters, under which the operand lies, only the code after the `local.set` copies it: whoever leaves the block before
;; reads a place that was never written.

(module
  (func $f (param $kept i32) (param $leave i32) (result i32)
    (local.get $kept)
    (i32.const 1)
    (block (param i32)
      (br_if 0 (local.get $leave))
      (local.set $kept (i32.const 9))
      (drop)))
  (func (export "left") (result i32) (call $f (i32.const 3) (i32.const 1)))
  (func (export "not left") (result i32) (call $f (i32.const 3) (i32.const 0))))

(assert_return (invoke "left") (i32.const 3))
(assert_return (invoke "not left") (i32.const 3))
