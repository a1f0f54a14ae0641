fn main() {
    let value = std::thread::spawn(|| answer::answer(6, 7)).join().unwrap();
    println!("rust {value}");
}
