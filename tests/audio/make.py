import math, struct, wave
def write(name, rate, channels, frames, value):
    with wave.open(name, "wb") as w:
        w.setnchannels(channels); w.setsampwidth(2); w.setframerate(rate)
        w.writeframes(b"".join(struct.pack("<h", value(n, c)) for n in range(frames) for c in range(channels)))
def sine(amplitude, hertz, rate, n): return math.floor(amplitude * math.sin(2 * math.pi * hertz * n / rate) + 0.5)
def noise(n): return ((n * 1103515245 + 12345) >> 9) % 256 - 128
write("/tmp/fx/tone.wav", 16000, 1, 16000, lambda n, c: sine(16384, 1000, 16000, n) + noise(n))
write("/tmp/fx/clean.wav", 16000, 1, 16000, lambda n, c: sine(16384, 1000, 16000, n))
write("/tmp/fx/stereo.wav", 22050, 2, 8820, lambda n, c: sine(16384, [1000, 441][c], 22050, n))
