;; Answers with JSON of two million values, in 4,000,000 bytes.
;; outcome: fails answer
;; export openedx:filters/learning-support-contact-context-requested-v1@1.0.0;
(module
  (memory (export "memory") 70)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-support-contact-context-requested-v1@1.0.0#run-filter") (param $context i32) (param $length i32) (result i32)
    (local $at i32)
    (i32.store8 (i32.const 4095) (i32.const 0x5b)) ;; [
    (local.set $at (i32.const 4096))
    (loop $again
      (i32.store16 (local.get $at) (i32.const 0x2c30)) ;; 0,
      (local.set $at (i32.add (local.get $at) (i32.const 2)))
      (br_if $again (i32.lt_u (local.get $at) (i32.const 4004096))))
    (i32.store16 (local.get $at) (i32.const 0x5d30)) ;; 0]
    (i32.store8 (i32.const 8) (i32.const 1)) ;; some context
    (i32.store (i32.const 12) (i32.const 4095))
    (i32.store (i32.const 16) (i32.const 4000003))
    (i32.const 0)))
