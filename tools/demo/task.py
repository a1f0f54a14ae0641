"""The small task of the demonstration: what an agent's work needs, and nothing else."""
import json
import socket

with open("/config/task.json", encoding="utf-8") as f:
    greeting = json.load(f)["greeting"]
with open("/workspace/result.txt", "w", encoding="utf-8") as f:
    f.write(greeting)
for endpoint in (("10.0.1.50", 443), ("registry.internal", 443)):
    socket.create_connection(endpoint, timeout=5).close()
print(f"task: {greeting}; wrote /workspace/result.txt; reached the gateway and registry.internal")
