// NCCL for processes of one machine whose GPUs are none (fake_cuda.cpp): what one sends to another goes through files in /dev/shm. Only
// float32, sends and receives.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <unistd.h>
#include <vector>

namespace {
struct Comm {
    std::string name;
    int rank;
    std::map<int, uint64_t> sent, received; // messages so far, by the other process
};
struct Pass {
    Comm *comm;
    void *data;
    size_t bytes;
    int peer;
    bool send;
};
int depth = 0;
std::vector<Pass> passes;

std::string path(const Comm &c, int from, int to, uint64_t number) {
    return "/dev/shm/fake-nccl-" + c.name + "-" + std::to_string(from) + "-" + std::to_string(to) + "-" + std::to_string(number);
}

int run() {
    for (const Pass &p : passes) {
        if (!p.send) continue;
        std::string to = path(*p.comm, p.comm->rank, p.peer, p.comm->sent[p.peer]++), part = to + ".part";
        FILE *f = fopen(part.c_str(), "wb");
        if (!f || fwrite(p.data, 1, p.bytes, f) != p.bytes || fclose(f) || rename(part.c_str(), to.c_str())) return 2;
    }
    for (const Pass &p : passes) {
        if (p.send) continue;
        std::string from = path(*p.comm, p.peer, p.comm->rank, p.comm->received[p.peer]++);
        FILE *f = nullptr;
        for (int tries = 0; !(f = fopen(from.c_str(), "rb")); tries++) {
            if (tries > 60000) return 6; // a minute
            usleep(1000);
        }
        // A message of another length would be a mistake of the program.
        size_t n = fread(p.data, 1, p.bytes, f);
        bool longer = fgetc(f) != EOF;
        fclose(f);
        unlink(from.c_str());
        if (n != p.bytes || longer) return 5;
    }
    passes.clear();
    return 0;
}

int pass(Pass p, int type) {
    if (type != 7) return 4; // float32
    passes.push_back(p);
    return depth ? 0 : run();
}
} // namespace

extern "C" {
struct Id {
    char bytes[128];
};
int ncclGetUniqueId(Id *id) {
    memset(id, 0, sizeof *id);
    snprintf(id->bytes, sizeof id->bytes, "%08x%08x", std::random_device()(), (unsigned)getpid());
    return 0;
}
int ncclCommInitRank(Comm **comm, int, Id id, int rank) {
    *comm = new Comm{id.bytes, rank, {}, {}};
    return 0;
}
int ncclSend(const void *data, size_t n, int type, int peer, Comm *comm, void *) {
    return pass({comm, (void *)data, 4 * n, peer, true}, type);
}
int ncclRecv(void *data, size_t n, int type, int peer, Comm *comm, void *) { return pass({comm, data, 4 * n, peer, false}, type); }
int ncclGroupStart() {
    depth++;
    return 0;
}
int ncclGroupEnd() { return --depth ? 0 : run(); }
int ncclCommAbort(Comm *comm) {
    delete comm;
    return 0;
}
}
