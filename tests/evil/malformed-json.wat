;; Answers with text that is no JSON where JSON belongs.
;; outcome: fails answer
;; export openedx:filters/learning-support-contact-context-requested-v1@1.0.0;
(module
  (memory (export "memory") 1)
  (data (i32.const 256) "{\"links\": [1, 2")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-support-contact-context-requested-v1@1.0.0#run-filter") (param $context i32) (param $length i32) (result i32)
    (i32.store8 (i32.const 8) (i32.const 1)) ;; some context
    (i32.store (i32.const 12) (i32.const 256))
    (i32.store (i32.const 16) (i32.const 15))
    (i32.const 0)))
