;; Programs to measure: each export does its work and returns a checksum.
(module
  (memory 16)
  (type $unary (func (param i32) (result i32)))
  (table 4 funcref)
  (elem (i32.const 0) $inc $dec $double $halve)

  (func $fib (export "fib") (param $n i32) (result i32)
    (if (result i32) (i32.lt_u (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else (i32.add
        (call $fib (i32.sub (local.get $n) (i32.const 1)))
        (call $fib (i32.sub (local.get $n) (i32.const 2)))))))

  ;; Counts the primes below $n.
  (func (export "sieve") (param $n i32) (result i32)
    (local $i i32) (local $j i32) (local $count i32)
    (memory.fill (i32.const 0) (i32.const 1) (local.get $n))
    (local.set $i (i32.const 2))
    (loop $outer
      (if (i32.load8_u (local.get $i))
        (then
          (local.set $count (i32.add (local.get $count) (i32.const 1)))
          (local.set $j (i32.add (local.get $i) (local.get $i)))
          (block $done
            (loop $inner
              (br_if $done (i32.ge_u (local.get $j) (local.get $n)))
              (i32.store8 (local.get $j) (i32.const 0))
              (local.set $j (i32.add (local.get $j) (local.get $i)))
              (br $inner)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $outer (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $count))

  ;; Multiplies two $n by $n matrices of f64.
  (func (export "matmul") (param $n i32) (result i32)
    (local $i i32) (local $j i32) (local $k i32) (local $sum f64)
    (local $a i32) (local $b i32) (local $c i32)
    (local.set $a (i32.const 0))
    (local.set $b (i32.const 131072))
    (local.set $c (i32.const 262144))
    (loop $init
      (f64.store (i32.add (local.get $a) (i32.shl (local.get $i) (i32.const 3)))
        (f64.convert_i32_u (local.get $i)))
      (f64.store (i32.add (local.get $b) (i32.shl (local.get $i) (i32.const 3)))
        (f64.convert_i32_u (i32.and (local.get $i) (i32.const 7))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $init (i32.lt_u (local.get $i) (i32.mul (local.get $n) (local.get $n)))))
    (local.set $i (i32.const 0))
    (loop $rows
      (local.set $j (i32.const 0))
      (loop $columns
        (local.set $sum (f64.const 0))
        (local.set $k (i32.const 0))
        (loop $products
          (local.set $sum (f64.add (local.get $sum) (f64.mul
            (f64.load (i32.add (local.get $a) (i32.shl
              (i32.add (i32.mul (local.get $i) (local.get $n)) (local.get $k)) (i32.const 3))))
            (f64.load (i32.add (local.get $b) (i32.shl
              (i32.add (i32.mul (local.get $k) (local.get $n)) (local.get $j)) (i32.const 3)))))))
          (local.set $k (i32.add (local.get $k) (i32.const 1)))
          (br_if $products (i32.lt_u (local.get $k) (local.get $n))))
        (f64.store (i32.add (local.get $c) (i32.shl
          (i32.add (i32.mul (local.get $i) (local.get $n)) (local.get $j)) (i32.const 3)))
          (local.get $sum))
        (local.set $j (i32.add (local.get $j) (i32.const 1)))
        (br_if $columns (i32.lt_u (local.get $j) (local.get $n))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $rows (i32.lt_u (local.get $i) (local.get $n))))
    (i32.trunc_f64_u (f64.load (local.get $c))))

  (func $inc (type $unary) (i32.add (local.get 0) (i32.const 1)))
  (func $dec (type $unary) (i32.sub (local.get 0) (i32.const 1)))
  (func $double (type $unary) (i32.mul (local.get 0) (i32.const 2)))
  (func $halve (type $unary) (i32.shr_u (local.get 0) (i32.const 1)))
  (func (export "indirect") (param $n i32) (result i32)
    (local $x i32)
    (loop $l
      (local.set $x (call_indirect (type $unary) (local.get $x)
        (i32.and (local.get $n) (i32.const 3))))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $x))

  ;; Mixes words of memory with each other, $n times.
  (func (export "memory") (param $n i32) (result i32)
    (local $i i32) (local $hash i64)
    (loop $rounds
      (local.set $i (i32.const 0))
      (loop $words
        (local.set $hash (i64.rotl (i64.xor (local.get $hash)
          (i64.load offset=64 (local.get $i))) (i64.const 5)))
        (i64.store offset=128 (local.get $i) (i64.add (local.get $hash)
          (i64.extend_i32_u (local.get $i))))
        (i32.store16 offset=200 (local.get $i) (i32.load8_u offset=77 (local.get $i)))
        (local.set $i (i32.add (local.get $i) (i32.const 8)))
        (br_if $words (i32.lt_u (local.get $i) (i32.const 65536))))
      (br_if $rounds (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.wrap_i64 (local.get $hash)))

  ;; Points of a $n by $n grid inside the Mandelbrot set.
  (func (export "float") (param $n i32) (result i32)
    (local $i i32) (local $j i32) (local $k i32) (local $count i32)
    (local $x f64) (local $y f64) (local $cx f64) (local $cy f64) (local $t f64)
    (loop $rows
      (local.set $j (i32.const 0))
      (loop $columns
        (local.set $cx (f64.sub (f64.mul (f64.div (f64.convert_i32_u (local.get $i))
          (f64.convert_i32_u (local.get $n))) (f64.const 3)) (f64.const 2)))
        (local.set $cy (f64.sub (f64.mul (f64.div (f64.convert_i32_u (local.get $j))
          (f64.convert_i32_u (local.get $n))) (f64.const 2)) (f64.const 1)))
        (local.set $x (f64.const 0)) (local.set $y (f64.const 0))
        (local.set $k (i32.const 100))
        (block $out
          (loop $iterate
            (local.set $t (f64.add (f64.sub (f64.mul (local.get $x) (local.get $x))
              (f64.mul (local.get $y) (local.get $y))) (local.get $cx)))
            (local.set $y (f64.add (f64.mul (f64.mul (local.get $x) (local.get $y))
              (f64.const 2)) (local.get $cy)))
            (local.set $x (local.get $t))
            (br_if $out (f64.gt (f64.add (f64.mul (local.get $x) (local.get $x))
              (f64.mul (local.get $y) (local.get $y))) (f64.const 4)))
            (br_if $iterate (local.tee $k (i32.sub (local.get $k) (i32.const 1)))))
          (local.set $count (i32.add (local.get $count) (i32.const 1))))
        (local.set $j (i32.add (local.get $j) (i32.const 1)))
        (br_if $columns (i32.lt_u (local.get $j) (local.get $n))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $rows (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $count))
)
