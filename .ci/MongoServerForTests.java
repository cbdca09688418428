import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.util.List;

/** Serves an empty in-memory database on a free loopback port, printed on the first line, until it is killed. */
public class MongoServerForTests {
    /** MongoDB 5.0 with 5.0's wire version: the library's own 5.0 claims an older one, which pymongo declines. */
    private record Five(List<Integer> getVersionArray, int getWireVersion) implements MongoVersion {}

    public static void main(String[] arguments) {
        MemoryBackend backend = new MemoryBackend();
        backend.version(new Five(List.of(5, 0, 0), 13));
        System.out.println(new MongoServer(backend).bind().getPort());
    }
}
