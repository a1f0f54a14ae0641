import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Executors;

public class Main {
    public static void main(String[] arguments) throws Exception {
        var pool = Executors.newFixedThreadPool(2);
        int value = pool.submit(() -> 6 * 7).get();
        pool.shutdown();
        try (var files = Files.list(Path.of("/task"))) {
            System.out.println("java " + value + " " + files.findFirst().get().getFileName());
        }
    }
}
