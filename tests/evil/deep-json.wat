;; Answers with JSON of 10,000 arrays, each inside the one before.
;; outcome: fails json-depth
;; export openedx:filters/learning-support-contact-context-requested-v1@1.0.0;
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-support-contact-context-requested-v1@1.0.0#run-filter") (param $context i32) (param $length i32) (result i32)
    (memory.fill (i32.const 4096) (i32.const 0x5b) (i32.const 10000)) ;; [[[[…
    (memory.fill (i32.const 14096) (i32.const 0x5d) (i32.const 10000)) ;; …]]]]
    (i32.store8 (i32.const 8) (i32.const 1)) ;; some context
    (i32.store (i32.const 12) (i32.const 4096))
    (i32.store (i32.const 16) (i32.const 20000))
    (i32.const 0)))
