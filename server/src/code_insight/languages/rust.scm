(function_item name: (identifier) @name) @definition.function
(function_signature_item name: (identifier) @name) @definition.function
(struct_item name: (type_identifier) @name body: (ordered_field_declaration_list) ";" @body) @definition.struct
(struct_item name: (type_identifier) @name) @definition.struct
(union_item name: (type_identifier) @name) @definition.struct
(enum_item name: (type_identifier) @name) @definition.enum
(enum_variant name: (identifier) @name) @definition.constant
(trait_item name: (type_identifier) @name) @definition.trait
(type_item name: (type_identifier) @name) @definition.type
(associated_type name: (type_identifier) @name) @definition.type
(field_declaration name: (field_identifier) @name) @definition.field
(const_item name: (identifier) @name) @definition.constant
(static_item name: (identifier) @name) @definition.variable
(mod_item name: (identifier) @name body: (_)) @definition.module
(macro_definition name: (identifier) @name . (_) @body) @definition.macro

(impl_item !trait type: (_) @receiver) @container
(impl_item trait: (_) @base type: (_) @receiver) @container
(trait_item name: (type_identifier) @name
  bounds: (trait_bounds [(type_identifier) (scoped_type_identifier) (generic_type)] @base))

(use_declaration argument: (_) @import.tree)
(extern_crate_declaration name: (identifier) @import.module !alias)
(extern_crate_declaration name: (identifier) @import.module alias: (identifier) @import.alias)
(mod_item name: (identifier) @import.submodule !body)

;;; occurrences

(identifier) @reference.name
(field_identifier) @reference.name
(shorthand_field_identifier) @reference.name
(type_identifier) @reference.type
((scoped_identifier path: (identifier) @reference.type) (#match? @reference.type "^[A-Z]"))
(lifetime (identifier) @ignored)

(call_expression function: (identifier) @reference.call)
(call_expression function: (scoped_identifier name: (identifier) @reference.call))
(call_expression function: (field_expression field: (field_identifier) @reference.call))
(call_expression function: (generic_function function: (identifier) @reference.call))
(call_expression function: (generic_function function: (scoped_identifier name: (identifier) @reference.call)))
(call_expression function: (generic_function function: (field_expression field: (field_identifier) @reference.call)))
(macro_invocation macro: (identifier) @reference.call)
(macro_invocation macro: (scoped_identifier name: (identifier) @reference.call))
(token_tree (identifier) @reference.call . (token_tree "("))

(impl_item trait: (type_identifier) @reference.inherit)
(impl_item trait: (generic_type type: (type_identifier) @reference.inherit))
(impl_item trait: (scoped_type_identifier name: (type_identifier) @reference.inherit))
(impl_item trait: (generic_type type: (scoped_type_identifier name: (type_identifier) @reference.inherit)))
(trait_item bounds: (trait_bounds (type_identifier) @reference.inherit))
(trait_item bounds: (trait_bounds (scoped_type_identifier name: (type_identifier) @reference.inherit)))
(trait_item bounds: (trait_bounds (generic_type type: (type_identifier) @reference.inherit)))

(use_declaration argument: (identifier) @reference.import)
(use_declaration argument: (scoped_identifier name: (identifier) @reference.import))
(use_list (identifier) @reference.import)
(use_list (scoped_identifier name: (identifier) @reference.import))
(use_as_clause path: (identifier) @reference.import)
(use_as_clause path: (scoped_identifier name: (identifier) @reference.import))
(use_as_clause alias: (identifier) @reference.import)
(scoped_use_list path: (identifier) @reference.import)
(scoped_use_list path: (scoped_identifier name: (identifier) @reference.import))
(use_wildcard (identifier) @reference.import)
(use_wildcard (scoped_identifier name: (identifier) @reference.import))
(extern_crate_declaration (identifier) @reference.import)
(mod_item name: (identifier) @reference.import !body)

(closure_expression) @local.scope
(attribute_item) @attribute
(line_comment) @comment
(block_comment) @comment

;;; bindings

(field_expression value: (_) @of field: (field_identifier) @member)
(scoped_identifier path: (_) @of name: (identifier) @member)
(scoped_type_identifier path: (_) @of name: (type_identifier) @member)
(macro_invocation macro: (identifier) @member (token_tree) @of)
(token_tree ["(" "[" "{"] @of (identifier) @member)

(let_declaration pattern: (identifier) @target type: (_) @type)
(let_declaration pattern: (identifier) @target !type value: (_) @value)
(let_declaration pattern: (identifier) @target !type !value)
(let_declaration pattern: (tuple_pattern) @left value: (_) @right)
(tuple_pattern (identifier) @target)
(tuple_struct_pattern type: (_) (identifier) @target)
((let_condition pattern: (tuple_struct_pattern type: (identifier) @_some . (identifier) @target .) value: (_) @value)
  (#any-of? @_some "Some" "Ok"))
(field_pattern (shorthand_field_identifier) @target)
(field_pattern pattern: (identifier) @target)
(parameter pattern: (identifier) @target type: (_) @type)
(closure_parameters (identifier) @target)
(for_expression pattern: (identifier) @target value: (_) @items)
(field_declaration name: (field_identifier) @target type: (_) @type)
(const_item name: (identifier) @target type: (_) @type)
(static_item name: (identifier) @target type: (_) @type)
(function_item return_type: (_) @returns)
(function_signature_item return_type: (_) @returns)

(block) @block
(for_expression) @block
(if_expression) @block
(while_expression) @block
(match_arm) @block
(closure_expression) @block
