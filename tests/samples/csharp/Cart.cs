using System;
using System.Collections.Generic;
using static System.Math;
using Json = System.Text.Json.JsonSerializer;

namespace Example.Shop;

/// <summary>How large.</summary>
public enum Size { Small, Large = 10 }

public delegate void Changed(object sender, int count);

public interface IStore<T> : IDisposable
{
    int Count { get; }
    void Add(T item);
}

/// <summary>A cart.</summary>
[Serializable]
[Table("carts")]
public sealed partial class Cart<T> : Base<T>, IStore<T>, Contracts.INamed where T : Item, new()
{
    public const int Limit = 100;
    private readonly List<T> _items = new(), _removed;
    public event Changed OnChanged;

    public string Name { get; private set; } = "";
    public int Count => _items.Count;

    public Cart(int limit) : base(limit)
    {
        OnChanged += (sender, count) => { };
    }

    // Adds one.
    [Obsolete]
    public async Task<bool> Add<Q>(T item, Q? other = default) where Q : struct
    {
        bool Check(int size) => size < Limit;
        var price = new Price(1);
        await Save<T>(item);
        other?.Dispose();
        return this.Check(Max(1, 2)) && item is Special special && (bool)Json.Parse(nameof(Limit));
    }

    public struct Line
    {
        public int Number;
    }

    public record Price(decimal Amount, Currency Currency) : Base;
}
