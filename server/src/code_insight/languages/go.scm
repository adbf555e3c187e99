(function_declaration name: (identifier) @name) @definition.function
(method_declaration receiver: (parameter_list (parameter_declaration type: (_) @receiver))
  name: (field_identifier) @name) @definition.method
(type_spec name: (type_identifier) @name type: (struct_type (field_declaration_list) @body)) @definition.struct
(type_spec name: (type_identifier) @name type: (interface_type "{" @body)) @definition.interface
(type_spec name: (type_identifier) @name) @definition.type
(type_alias name: (type_identifier) @name) @definition.type
(method_elem name: (field_identifier) @name) @definition.method
(type_spec type: (struct_type (field_declaration_list
  (field_declaration name: (field_identifier) @name) @definition.field)))
(type_spec name: (type_identifier) @name
  type: (struct_type (field_declaration_list (field_declaration !name type: (_) @base))))
(type_spec name: (type_identifier) @name
  type: (interface_type (type_elem . [(type_identifier) (qualified_type)] @base .)))
(const_spec (identifier) @name) @definition.constant
(var_spec name: (identifier) @name) @definition.variable

(import_spec !name path: (_ (_) @import.module))
(import_spec name: (package_identifier) @import.alias path: (_ (_) @import.module))
(import_spec name: (blank_identifier) @import.alias path: (_ (_) @import.module))
(import_spec name: (dot) @import.all path: (_ (_) @import.module))

;;; occurrences

(identifier) @reference.name
(field_identifier) @reference.name
(package_identifier) @reference.name
(type_identifier) @reference.type

(call_expression function: (identifier) @reference.call)
(call_expression function: (selector_expression field: (field_identifier) @reference.call))
(call_expression function: (parenthesized_expression (identifier) @reference.call))
(call_expression function: (type_instantiation_expression type: (type_identifier) @reference.call))
(field_declaration !name type: (type_identifier) @reference.inherit)
(field_declaration !name type: (pointer_type (type_identifier) @reference.inherit))
(field_declaration !name type: (qualified_type name: (type_identifier) @reference.inherit))
(field_declaration !name type: (pointer_type (qualified_type name: (type_identifier) @reference.inherit)))
(interface_type (type_elem . (type_identifier) @reference.inherit .))
(interface_type (type_elem . (qualified_type name: (type_identifier) @reference.inherit) .))
(import_spec name: (package_identifier) @reference.import)

(func_literal) @local.scope
(comment) @comment

;;; bindings

(selector_expression operand: (_) @of field: (field_identifier) @member)
(qualified_type package: (_) @of name: (type_identifier) @member)

(short_var_declaration left: (expression_list) @left right: (expression_list) @right)
(assignment_statement left: (expression_list) @left right: (expression_list) @right) @assigned
(range_clause left: (expression_list) @left right: (_) @ranged)
(var_spec name: (identifier) @target type: (_) @type)
(var_spec . name: (identifier) @left !type value: (expression_list) @right)
(const_spec . name: (identifier) @target type: (_) @type)
(parameter_declaration name: (identifier) @target type: (_) @type)
(variadic_parameter_declaration name: (identifier) @target) @variadic
(type_switch_statement alias: (expression_list (identifier) @target) (type_case . type: (_) @type . ":") @case)
(type_switch_statement alias: (expression_list (identifier) @target) value: (_) @value)
(field_declaration name: (field_identifier) @target type: (_) @type)

(block) @block
(if_statement) @block
(for_statement) @block
(func_literal) @block
(expression_switch_statement) @block
(type_switch_statement) @block
(expression_case) @block
(type_case) @block
(default_case) @block
(communication_case) @block
