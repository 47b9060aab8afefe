;; Looks at both clocks, takes eight random bytes and counts its calls in its rows, says in hexadecimal digits what it
;; saw as `critical`, and traps.
;; import wasi:clocks/wall-clock@0.2.0;
;; import wasi:clocks/monotonic-clock@0.2.0;
;; import wasi:random/random@0.2.0;
;; import wasi:keyvalue/store@0.2.0-draft;
;; import wasi:keyvalue/atomics@0.2.0-draft;
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "wasi:logging/logging@0.1.0-draft" "log" (func $log (param i32 i32 i32 i32 i32)))
  (import "wasi:clocks/wall-clock@0.2.0" "now" (func $wall (param i32)))
  (import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $monotonic (result i64)))
  (import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))
  (import "wasi:keyvalue/store@0.2.0-draft" "open" (func $open (param i32 i32 i32)))
  (import "wasi:keyvalue/atomics@0.2.0-draft" "increment" (func $increment (param i32 i32 i32 i64 i32)))
  (memory (export "memory") 2)
  (data (i32.const 256) "count")
  (data (i32.const 272) "0123456789abcdef")
  (global $free (mut i32) (i32.const 65536))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  ;; What it saw, from 512: the seconds and nanoseconds, the other clock, the random bytes, and the count or the case
  ;; of what went wrong.
  (func $look
    (call $wall (i32.const 512))
    (i64.store (i32.const 528) (call $monotonic))
    (call $random (i64.const 8) (i32.const 128))
    (i64.store (i32.const 536) (i64.load (i32.load (i32.const 128))))
    (call $open (i32.const 0) (i32.const 0) (i32.const 128))
    (if (i32.eqz (i32.load8_u (i32.const 128)))
      (then
        (call $increment (i32.load (i32.const 132)) (i32.const 256) (i32.const 5) (i64.const 1) (i32.const 144))
        (i64.store (i32.const 544) (i64.load (i32.const 152))))))
  ;; The same in digits, from 1024.
  (func $spell
    (local $at i32) (local $byte i32)
    (loop $again
      (local.set $byte (i32.load8_u (i32.add (i32.const 512) (local.get $at))))
      (i32.store8 (i32.add (i32.const 1024) (i32.mul (local.get $at) (i32.const 2)))
        (i32.load8_u (i32.add (i32.const 272) (i32.shr_u (local.get $byte) (i32.const 4)))))
      (i32.store8 (i32.add (i32.const 1025) (i32.mul (local.get $at) (i32.const 2)))
        (i32.load8_u (i32.add (i32.const 272) (i32.and (local.get $byte) (i32.const 15)))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $at) (i32.const 40)))))
  (func $testify
    (call $look)
    (call $spell)
    (call $log (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 80))
    (unreachable))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (call $testify)
    (i32.const 2048)))
