(namespace_definition name: (namespace_name) @name body: (_)) @definition.namespace
(namespace_definition name: (namespace_name) @name !body) @definition.namespace @until.end
(class_declaration name: (name) @name) @definition.class
(interface_declaration name: (name) @name) @definition.interface
(trait_declaration name: (name) @name) @definition.trait
(enum_declaration name: (name) @name) @definition.enum
(enum_case name: (name) @name) @definition.constant
(function_definition name: (name) @name) @definition.function
(method_declaration name: (name) @name) @definition.method
(property_declaration (property_element name: (variable_name (name) @name))) @definition.field
(property_promotion_parameter name: (variable_name (name) @name)) @definition.field
(const_declaration (const_element . (name) @name)) @definition.constant
((function_call_expression function: (name) @_function
  arguments: (arguments . (argument (string (string_content) @name)))) @definition.constant
  (#eq? @_function "define"))
(program (expression_statement (assignment_expression left: (variable_name (name) @name)) @definition.variable))

(class_declaration name: (name) @name (base_clause [(name) (qualified_name)] @base))
(class_declaration name: (name) @name (class_interface_clause [(name) (qualified_name)] @base))
(class_declaration name: (name) @name body: (_ (use_declaration [(name) (qualified_name)] @base)))
(enum_declaration name: (name) @name (class_interface_clause [(name) (qualified_name)] @base))
(interface_declaration name: (name) @name (base_clause [(name) (qualified_name)] @base))

(namespace_use_clause . (qualified_name prefix: (_) @import.module (name) @import.name) !alias)
(namespace_use_clause . (qualified_name prefix: (_) @import.module (name) @import.name) alias: (name) @import.alias)
(namespace_use_declaration (namespace_use_clause . (name) @import.module !alias))
(namespace_use_declaration (namespace_use_clause . (name) @import.module alias: (name) @import.alias))
(namespace_use_declaration (namespace_name) @import.module
  body: (namespace_use_group (namespace_use_clause . (name) @import.name !alias)))
(namespace_use_declaration (namespace_name) @import.module
  body: (namespace_use_group (namespace_use_clause . (name) @import.name alias: (name) @import.alias)))
(require_expression (_ (string_content) @import.module))
(require_once_expression (_ (string_content) @import.module))
(include_expression (_ (string_content) @import.module))
(include_once_expression (_ (string_content) @import.module))
(require_expression (binary_expression right: (_ (string_content) @import.module)))
(require_once_expression (binary_expression right: (_ (string_content) @import.module)))
(include_expression (binary_expression right: (_ (string_content) @import.module)))
(include_once_expression (binary_expression right: (_ (string_content) @import.module)))

;;; occurrences

(name) @reference.name
(named_type (name) @reference.type)
(named_type (qualified_name (name) @reference.type))
(scoped_call_expression scope: (name) @reference.type)
(scoped_call_expression scope: (qualified_name (name) @reference.type))
(scoped_property_access_expression scope: (name) @reference.type)
(class_constant_access_expression . (name) @reference.type)
(class_constant_access_expression . (qualified_name (name) @reference.type))
(attribute (name) @reference.type)
(attribute (qualified_name (name) @reference.type))
(binary_expression "instanceof" right: (name) @reference.type)

(function_call_expression function: (name) @reference.call)
(function_call_expression function: (qualified_name (name) @reference.call))
(member_call_expression name: (name) @reference.call)
(nullsafe_member_call_expression name: (name) @reference.call)
(scoped_call_expression name: (name) @reference.call)
(object_creation_expression (name) @reference.call)
(object_creation_expression (qualified_name (name) @reference.call))

(base_clause (name) @reference.inherit)
(base_clause (qualified_name (name) @reference.inherit))
(class_interface_clause (name) @reference.inherit)
(class_interface_clause (qualified_name (name) @reference.inherit))
(declaration_list (use_declaration (name) @reference.inherit))
(declaration_list (use_declaration (qualified_name (name) @reference.inherit)))
(namespace_use_clause (name) @reference.import)
(namespace_use_clause (qualified_name (name) @reference.import))
(namespace_definition name: (namespace_name (name) @ignored))

(anonymous_function) @local.scope
(arrow_function) @local.scope
(attribute_list) @attribute
(comment) @comment

;;; bindings

(member_call_expression object: (_) @of name: (name) @member)
(nullsafe_member_call_expression object: (_) @of name: (name) @member)
(member_access_expression object: (_) @of name: (name) @member)
(nullsafe_member_access_expression object: (_) @of name: (name) @member)
(scoped_call_expression scope: (_) @of name: (name) @member)
(scoped_property_access_expression scope: (_) @of name: (variable_name (name) @member))
(class_constant_access_expression . (_) @of (name) @member)
(qualified_name prefix: (_) @of (name) @member)

(assignment_expression left: (variable_name) @target right: (_) @value)
(assignment_expression left: (member_access_expression) @target right: (_) @value)
(simple_parameter !type name: (variable_name) @target)
(simple_parameter type: (_) @type name: (variable_name) @target)
(variadic_parameter name: (variable_name) @target) @variadic
(property_promotion_parameter type: (_) @type name: (variable_name) @target)
(property_promotion_parameter type: (_) @type name: (variable_name (name) @target))
(property_declaration type: (_) @type (property_element name: (variable_name (name) @target)))
(foreach_statement (_) @items . (variable_name) @target)
(foreach_statement (_) @items . (pair (_) (variable_name) @target))
(catch_clause type: (type_list . (_) @type .) name: (variable_name) @target)
(method_declaration return_type: (_) @returns)
(function_definition return_type: (_) @returns)
(return_statement (_) @returned)
