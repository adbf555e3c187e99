import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.IdentifierTree;
import com.sun.source.tree.LineMap;
import com.sun.source.tree.MemberReferenceTree;
import com.sun.source.tree.MemberSelectTree;
import com.sun.source.tree.Tree;
import com.sun.source.util.JavacTask;
import com.sun.source.util.TreePath;
import com.sun.source.util.TreePathScanner;
import com.sun.source.util.Trees;
import com.sun.tools.javac.tree.JCTree;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import javax.lang.model.element.Element;
import javax.lang.model.type.TypeKind;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/**
 * What each name in the Java files below a folder means, as javac says: the oracle of callers.py.
 *
 * <pre>java --add-exports jdk.compiler/com.sun.tools.javac.tree=ALL-UNNAMED Meanings.java ROOT FOLDER... > MEANINGS.tsv</pre>
 *
 * The FOLDERs are compiled together; paths are told from ROOT. One line for each use of a name: path, line and column
 * (from 1 and from 0, in characters) of the use, then of its definition; the last three are empty when that is not in
 * one of the files. What javac cannot resolve, because a library is missing, is left out.
 */
final class Meanings {
  private final Path root;
  private final Trees trees;
  private final Set<String> lines = new TreeSet<>();

  private Meanings(Path root, Trees trees) {
    this.root = root;
    this.trees = trees;
  }

  public static void main(String[] arguments) throws IOException {
    Path root = Path.of(arguments[0]).toRealPath();
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    StandardJavaFileManager manager = compiler.getStandardFileManager(null, Locale.ROOT, StandardCharsets.UTF_8);
    Set<Path> files = new TreeSet<>();
    for (String folder : List.of(arguments).subList(1, arguments.length)) {
      try (var walked = Files.walk(root.resolve(folder))) {
        walked.filter(path -> path.toString().endsWith(".java") && !path.endsWith("module-info.java")).forEach(files::add);
      }
    }
    List<String> options = List.of("-proc:none", "-XDshould-stop.ifError=FLOW", "-Xlint:none", "-XDrawDiagnostics");
    JavacTask task =
        (JavacTask) compiler.getTask(null, manager, ignored -> {}, options, null, manager.getJavaFileObjectsFromPaths(files));
    Iterable<? extends CompilationUnitTree> units = task.parse();
    task.analyze();
    Meanings meanings = new Meanings(root, Trees.instance(task));
    for (CompilationUnitTree unit : units) {
      meanings.read(unit);
    }
    StringBuilder out = new StringBuilder();
    meanings.lines.forEach(line -> out.append(line).append('\n'));
    System.out.print(out);
  }

  private void read(CompilationUnitTree unit) {
    new TreePathScanner<Void, Void>() {
      @Override
      public Void visitIdentifier(IdentifierTree node, Void nothing) {
        note(start(node));
        return super.visitIdentifier(node, nothing);
      }

      @Override
      public Void visitMemberSelect(MemberSelectTree node, Void nothing) {
        note(end(node) - node.getIdentifier().length());
        return super.visitMemberSelect(node, nothing);
      }

      @Override
      public Void visitMemberReference(MemberReferenceTree node, Void nothing) {
        note(end(node) - node.getName().length());
        return super.visitMemberReference(node, nothing);
      }

      private long start(Tree node) {
        return trees.getSourcePositions().getStartPosition(unit, node);
      }

      private long end(Tree node) {
        return trees.getSourcePositions().getEndPosition(unit, node);
      }

      private void note(long position) {
        Element element = trees.getElement(getCurrentPath());
        if (element != null && position >= 0 && element.asType().getKind() != TypeKind.ERROR) {
          lines.add(place(unit, position) + "\t" + definition(element));
        }
      }
    }.scan(unit, null);
  }

  private String definition(Element element) {
    TreePath path = trees.getPath(element);
    if (path == null || path.getLeaf() instanceof CompilationUnitTree) {
      return "\t\t";
    }
    return place(path.getCompilationUnit(), ((JCTree) path.getLeaf()).pos);
  }

  private String place(CompilationUnitTree unit, long position) {
    JavaFileObject file = unit.getSourceFile();
    LineMap map = unit.getLineMap();
    Path path = root.relativize(Path.of(file.toUri()));
    long line = map.getLineNumber(position);
    return path + "\t" + line + "\t" + (position - map.getStartPosition(line));
  }
}
