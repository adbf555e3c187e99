(class_declaration name: (identifier) @name) @definition.class
(record_declaration name: (identifier) @name) @definition.class
(interface_declaration name: (identifier) @name) @definition.interface
(annotation_type_declaration name: (identifier) @name) @definition.interface
(enum_declaration name: (identifier) @name) @definition.enum
(enum_constant name: (identifier) @name) @definition.constant
(method_declaration name: (identifier) @name) @definition.method
(annotation_type_element_declaration name: (identifier) @name) @definition.method
(constructor_declaration name: (identifier) @name) @definition.constructor
(compact_constructor_declaration name: (identifier) @name) @definition.constructor
(field_declaration (modifiers "static" "final") declarator: (variable_declarator name: (identifier) @name))
  @definition.constant
(field_declaration (modifiers "final" "static") declarator: (variable_declarator name: (identifier) @name))
  @definition.constant
(field_declaration declarator: (variable_declarator name: (identifier) @name)) @definition.field
(constant_declaration declarator: (variable_declarator name: (identifier) @name)) @definition.constant
(record_declaration parameters: (formal_parameters (formal_parameter name: (identifier) @name) @definition.field))

(class_declaration name: (identifier) @name superclass: (superclass (_) @base))
(class_declaration name: (identifier) @name interfaces: (super_interfaces (type_list (_) @base)))
(record_declaration name: (identifier) @name interfaces: (super_interfaces (type_list (_) @base)))
(enum_declaration name: (identifier) @name interfaces: (super_interfaces (type_list (_) @base)))
(interface_declaration name: (identifier) @name (extends_interfaces (type_list (_) @base)))

(import_declaration (scoped_identifier scope: (_) @import.module name: (identifier) @import.name) .)
(import_declaration (identifier) @import.module .)
(import_declaration (_) @import.module (asterisk) @import.all)

;;; occurrences

(identifier) @reference.name
(type_identifier) @reference.type
(annotation name: (identifier) @reference.type)
(marker_annotation name: (identifier) @reference.type)

(method_invocation name: (identifier) @reference.call)
(object_creation_expression type: (type_identifier) @reference.call)
(object_creation_expression type: (generic_type (type_identifier) @reference.call))
(object_creation_expression type: (scoped_type_identifier (type_identifier) @reference.call .))
(object_creation_expression type: (generic_type (scoped_type_identifier (type_identifier) @reference.call .)))

(superclass (type_identifier) @reference.inherit)
(superclass (generic_type (type_identifier) @reference.inherit))
(superclass (scoped_type_identifier (type_identifier) @reference.inherit .))
(superclass (generic_type (scoped_type_identifier (type_identifier) @reference.inherit .)))
(super_interfaces (type_list (type_identifier) @reference.inherit))
(super_interfaces (type_list (generic_type (type_identifier) @reference.inherit)))
(super_interfaces (type_list (scoped_type_identifier (type_identifier) @reference.inherit .)))
(extends_interfaces (type_list (type_identifier) @reference.inherit))
(extends_interfaces (type_list (generic_type (type_identifier) @reference.inherit)))
(extends_interfaces (type_list (scoped_type_identifier (type_identifier) @reference.inherit .)))

(import_declaration (scoped_identifier name: (identifier) @reference.import))
(import_declaration (identifier) @reference.import)

(lambda_expression) @local.scope
(static_initializer) @local.scope
(annotation) @attribute
(marker_annotation) @attribute
(line_comment) @comment
(block_comment) @comment

;;; bindings

(method_invocation object: (_) @of name: (identifier) @member)
(field_access object: (_) @of field: (identifier) @member)
(method_reference . (_) @of (identifier) @member .)
(scoped_type_identifier . (_) @of (type_identifier) @member .)
(object_creation_expression . (_) @of "new" type: (type_identifier) @member)

(local_variable_declaration type: (_) @type declarator: (variable_declarator name: (identifier) @target))
(local_variable_declaration type: (_) @inferred
  declarator: (variable_declarator name: (identifier) @target value: (_) @value) (#eq? @inferred "var"))
(enhanced_for_statement type: (_) @type name: (identifier) @target)
(enhanced_for_statement type: (_) @inferred name: (identifier) @target value: (_) @items (#eq? @inferred "var"))
(resource type: (_) @type name: (identifier) @target)
(resource type: (_) @inferred name: (identifier) @target value: (_) @value (#eq? @inferred "var"))
(formal_parameter type: (_) @type name: (identifier) @target)
(spread_parameter (variable_declarator name: (identifier) @target))
(catch_formal_parameter (catch_type . (_) @type .) name: (identifier) @target)
(catch_formal_parameter name: (identifier) @target)
(instanceof_expression right: (_) @type name: (identifier) @target)
(type_pattern (_) @type (identifier) @target .)
(lambda_expression parameters: (identifier) @target)
(inferred_parameters (identifier) @target)
(field_declaration type: (_) @type declarator: (variable_declarator name: (identifier) @target))
(constant_declaration type: (_) @type declarator: (variable_declarator name: (identifier) @target))
(method_declaration type: (_) @returns)
(annotation_type_element_declaration type: (_) @returns)

(block) @block
(for_statement) @block
(enhanced_for_statement) @block
(try_with_resources_statement) @block
(catch_clause) @block
(lambda_expression) @block
(switch_block_statement_group) @block
(switch_rule) @block
