(function_definition declarator: (_) @declarator) @definition.function
(declaration declarator: (_) @declarator) @definition.variable
(field_declaration declarator: (_) @declarator) @definition.field

(type_definition type: (struct_specifier !name body: (_) @body) declarator: (type_identifier) @name)
  @definition.struct
(type_definition type: (union_specifier !name body: (_) @body) declarator: (type_identifier) @name)
  @definition.struct
(type_definition type: (enum_specifier !name body: (_) @body) declarator: (type_identifier) @name)
  @definition.enum
(type_definition type: (struct_specifier body: (_) @body) declarator: (type_identifier) @name) @definition.type
(type_definition type: (enum_specifier body: (_) @body) declarator: (type_identifier) @name) @definition.type
(struct_specifier name: (type_identifier) @name body: (_)) @definition.struct
(union_specifier name: (type_identifier) @name body: (_)) @definition.struct
(enum_specifier name: (type_identifier) @name body: (_)) @definition.enum
(enumerator name: (identifier) @name) @definition.constant
(type_definition declarator: (_) @declarator) @definition.type

(preproc_def name: (identifier) @name value: (_)) @definition.macro
((preproc_def name: (identifier) @name !value) @definition.macro (#not-match? @name "_(H|HH|HPP|HXX)_*$"))
(preproc_function_def name: (identifier) @name value: (_) @body) @definition.macro
(preproc_function_def name: (identifier) @name !value) @definition.macro
(preproc_include path: (_) @import.module)

;;; occurrences

(identifier) @reference.name
(field_identifier) @reference.name
(type_identifier) @reference.type
(call_expression function: (identifier) @reference.call)
(call_expression function: (field_expression field: (field_identifier) @reference.call))
(call_expression function: (parenthesized_expression (identifier) @reference.call))
(comment) @comment
