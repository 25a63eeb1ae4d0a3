;; For switch $ct1 $e with $e : [] -> [t*]: $ct1 = cont [t1* (ref null? $ct2)] ->
;; [te1*], te1* <: t*, $ct2 = cont [t2*] -> [te2*], t* <: te2*. Casts to
;; continuation types are invalid.

;; What is valid, executed: payloads of several types both ways, and results.
(module
  (rec
    (type $fa (func (param f64 (ref null $kb)) (result i32)))
    (type $ka (cont $fa))
    (type $fb (func (param i32 i64 (ref null $ka)) (result i32)))
    (type $kb (cont $fb)))
  (tag $e (result i32))
  (func $a (type $fa)
    (i32.trunc_f64_s (local.get 0)))
  ;; Switches to $a with a payload; nobody comes back.
  (func $b (type $fb)
    (switch $ka $e
      (f64.convert_i64_s (i64.add (local.get 1) (i64.extend_i32_s (local.get 0))))
      (cont.new $ka (ref.func $a)))
    (unreachable))
  (elem declare func $a $b)
  (func (export "payload") (result i32)
    (resume $kb (on $e switch)
      (i32.const 40) (i64.const 2) (ref.null $ka) (cont.new $kb (ref.func $b))))

  ;; Comes back with a payload for the switcher.
  (func $returns-switch (type $fa)
    (switch $kb $e (i32.const 1) (i64.const 2) (local.get 1))
    (unreachable))
  (func $goes (type $fb)
    (local $x i64)
    (switch $ka $e (f64.const 0) (cont.new $ka (ref.func $returns-switch)))
    (drop)
    (local.set $x)
    (i32.add (i32.mul (i32.const 10)) (i32.wrap_i64 (local.get $x))))
  (elem declare func $returns-switch $goes)
  (func (export "there-and-back") (result i32)
    (resume $kb (on $e switch)
      (i32.const 0) (i64.const 0) (ref.null $ka) (cont.new $kb (ref.func $goes))))
)
(assert_return (invoke "payload") (i32.const 42))
(assert_return (invoke "there-and-back") (i32.const 12))

;; Function and continuation types have subtypes; cont.new and resume respect it.
(module
  (type $super (sub (func (result funcref))))
  (type $ksuper (sub (cont $super)))
  (type $sub (sub $super (func (result (ref func)))))
  (type $ksub (sub $ksuper (cont $sub)))
  (func $f (type $sub) (ref.func $f))
  (elem declare func $f)
  (func $by-super (param (ref null $ksuper)) (result funcref)
    (resume $ksuper (local.get 0)))
  (func (export "subtype") (result i32)
    (ref.is_null (call $by-super (cont.new $ksub (ref.func $f)))))
)
(assert_return (invoke "subtype") (i32.const 0))

;; The tag of a switch has no parameters.
(assert_invalid
  (module
    (rec (type $f (func (param (ref null $k)))) (type $k (cont $f)))
    (tag $e (param i32))
    (func (param (ref $k)) (drop (switch $k $e (local.get 0)))))
  "type mismatch")
;; The last parameter of the target is a continuation.
(assert_invalid
  (module
    (type $f (func (param i32))) (type $k (cont $f))
    (tag $e)
    (func (param (ref $k)) (switch $k $e (local.get 0))))
  "type mismatch")
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f))
    (tag $e)
    (func (param (ref $k)) (switch $k $e (local.get 0))))
  "type mismatch")
;; te1* <: t*: what the target returns is what the tag says.
(assert_invalid
  (module
    (type $f2 (func (result i32))) (type $k2 (cont $f2))
    (type $f1 (func (param (ref null $k2)) (result i64))) (type $k1 (cont $f1))
    (tag $e (result i32))
    (func (param (ref $k1)) (result i32) (switch $k1 $e (local.get 0)) (i32.const 0)))
  "type mismatch")
;; t* <: te2*: and so is what the switcher returns.
(assert_invalid
  (module
    (type $f2 (func (result i64))) (type $k2 (cont $f2))
    (type $f1 (func (param (ref null $k2)) (result i32))) (type $k1 (cont $f1))
    (tag $e (result i32))
    (func (param (ref $k1)) (result i32) (switch $k1 $e (local.get 0)) (i32.const 0)))
  "type mismatch")
;; A label takes the tag's parameters and a continuation of the right type.
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f))
    (type $fi (func (param i32))) (type $ki (cont $fi))
    (tag $t (param i64))
    (func (param (ref $k))
      (block $h (result i32 (ref $k))
        (resume $k (on $t $h) (local.get 0))
        (return))
      (drop) (drop)))
  "type mismatch")
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f))
    (type $fi (func (param i32))) (type $ki (cont $fi))
    (tag $t (result i32))
    (func (param (ref $k))
      (block $h (result (ref $k))
        (resume $k (on $t $h) (local.get 0))
        (return))
      (drop)))
  "type mismatch")
;; cont.bind binds from the left and keeps the results.
(assert_invalid
  (module
    (type $f (func (param i32 i64))) (type $k (cont $f))
    (type $g (func (param i32))) (type $l (cont $g))
    (func (param (ref $k)) (drop (cont.bind $k $l (i32.const 0) (local.get 0)))))
  "type mismatch")
(assert_invalid
  (module
    (type $f (func (param i32) (result i32))) (type $k (cont $f))
    (type $g (func (result i64))) (type $l (cont $g))
    (func (param (ref $k)) (drop (cont.bind $k $l (i32.const 0) (local.get 0)))))
  "type mismatch")
;; No casts.
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f))
    (func (param contref) (drop (ref.cast (ref $k) (local.get 0)))))
  "invalid cast")
(assert_invalid
  (module
    (type $f (func)) (type $k (cont $f))
    (func (param contref) (result i32) (ref.test (ref null $k) (local.get 0))))
  "invalid cast")
